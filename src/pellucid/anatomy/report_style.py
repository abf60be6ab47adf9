"""The style sheet of the report: the drawing's colours and textures, on light and dark ground, on a desk and in a hand."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root {
  --ground: #fff; --text: #1b2126; --dim: #66717b; --line: #e3e7ea; --raised: #f6f8f9;
  --good: #1a7f37; --warning: #9a5b00; --bad: #c62f2f; --moved: #0b7a88;
  --queue: #c3c9cf; --dns: #14a0af; --connect: #e08a1e; --tls: #a455c4; --send: #2f9e4f; --wait: #8fd0a0;
  --receive: #2f7fe8; --server: #2f9e4f; --sql: #d9447c; --timing: #7aa884; --lost: #d65a50;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12171b; --text: #dfe5e9; --dim: #929da6; --line: #2a3239; --raised: #1a2127;
    --good: #4cc26a; --warning: #e0a040; --bad: #f07a72; --moved: #45bccb;
    --queue: #46505a; --wait: #2f6d42;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1500px; padding: 1.2rem 1.5rem; background: var(--ground); color: var(--text);
  font: 14px/1.45 system-ui, sans-serif; }
code, pre, .what, .label, .took, .size, .status, .kind, .axis { font-family: ui-monospace, "Cascadia Mono", Menlo,
  Consolas, monospace; }
.what { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
.what b { color: var(--text); }
h1 { margin: .3rem 0; font-size: 1.35rem; line-height: 1.3; }
h1.good { color: var(--good); } h1.warning { color: var(--warning); } h1.bad { color: var(--bad); }
h3 { margin: 1.1rem 0 .3rem; font-size: 1rem; overflow-wrap: anywhere; }
.when, footer { margin: 0; color: var(--dim); font-size: .85rem; overflow-wrap: anywhere; }
footer { margin-top: 2rem; }
.remarks { margin: 1rem 0 0; padding: 0; list-style: none; }
.remarks li { padding-left: 1.1rem; position: relative; }
.remarks li::before { content: "\\203a"; position: absolute; left: 0; color: var(--warning); font-weight: bold; }

.waterfall { --left: 26rem; position: relative; margin: 1.2rem 0; font-size: 13px; }
.row { display: grid; grid-template-columns: minmax(0, 1fr) 3rem 2.4rem 4.6rem 4.6rem minmax(0, 2.1fr); column-gap: .5rem;
  align-items: center; min-height: 1.55rem; padding: 0 .3rem; position: relative; }
.label { grid-column: 1; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  padding-left: calc(var(--depth, 0) * 1rem); }
.lookup .label, .attempt .label, .tls .label, .server .label, .sql .label, .timing .label { grid-column: 1 / 5; }
.label small { color: var(--dim); }
.kind { color: var(--dim); } .size, .took { text-align: right; white-space: nowrap; } .took { grid-column: 5; }
.lookup .kind, .attempt .kind, .tls .kind, .server .kind, .sql .kind, .timing .kind, .lookup .status, .attempt .status,
.tls .status, .server .status, .sql .status, .timing .status, .lookup .size, .attempt .size, .tls .size, .server .size,
.sql .size, .timing .size { display: none; }
.good .status { color: var(--good); } .moved .status { color: var(--moved); }
.warning .status, .warning > .label { color: var(--warning); } .bad .status, .bad > .label { color: var(--bad); }
.bar { grid-column: 6; position: relative; height: .8rem; }
.row > .bar > i { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 1px; }
.note { grid-column: 1 / -1; padding: 0 0 .3rem calc(var(--depth, 0) * 1rem + 1rem); color: var(--dim); font-style: normal;
  overflow-wrap: anywhere; }
.bad > .note, .bad .row > .note { color: var(--bad); }
.axis .bar i { color: var(--dim); font-style: normal; font-size: .75rem; transform: translateX(-50%); }
.axis .bar i:first-child { transform: none; }
.axis .bar u { position: absolute; right: 0; top: 0; color: var(--dim); text-decoration: none; font-size: .75rem; }
.axis { grid-template-columns: minmax(0, 1fr) 3rem 2.4rem 4.6rem 4.6rem minmax(0, 2.1fr); }
.lines { position: absolute; inset: 1.55rem 0 2rem; display: grid; padding: 0 .3rem; column-gap: .5rem; pointer-events: none;
  grid-template-columns: minmax(0, 1fr) 3rem 2.4rem 4.6rem 4.6rem minmax(0, 2.1fr); }
.lines .bar { height: 100%; } .lines i { position: absolute; top: 0; bottom: 0; border-left: 1px dotted var(--line); }
summary.row { cursor: pointer; list-style: none; } summary.row::-webkit-details-marker { display: none; }
summary.row:hover, summary.row:focus-visible { background: var(--raised); }
details[open] > summary.row { background: var(--raised); }
summary:focus-visible { outline: 2px solid var(--receive); outline-offset: -2px; }
.inside { padding: .2rem 1rem 1rem; background: var(--raised); border-bottom: 1px solid var(--line); }

i.queue { background: repeating-linear-gradient(90deg, var(--queue) 0 1px, transparent 1px 4px); }
i.dns { background: repeating-linear-gradient(45deg, var(--dns) 0 2px, transparent 2px 4px); border: 1px solid var(--dns); }
i.connect { background: repeating-linear-gradient(90deg, var(--connect) 0 3px, transparent 3px 4px);
  border: 1px solid var(--connect); }
i.lost { background: repeating-linear-gradient(-45deg, var(--lost) 0 1px, transparent 1px 5px);
  border: 1px dashed var(--lost); }
i.tls { background: repeating-linear-gradient(-45deg, var(--tls) 0 3px, transparent 3px 5px); border: 1px solid var(--tls); }
i.send { background: linear-gradient(var(--send), var(--send)) center / 100% 3px no-repeat; }
i.wait { background: var(--wait); } i.receive { background: var(--receive); }
i.server { background: repeating-linear-gradient(90deg, var(--server) 0 6px, transparent 6px 8px); }
i.sql { background: var(--sql); } i.timing { border: 1px dashed var(--timing); }
i.more { background: repeating-linear-gradient(90deg, var(--dim) 0 2px, transparent 2px 8px); }
i.unsure { opacity: .6; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .8rem 0 0; color: var(--dim); font-size: .8rem; }
.legend i { display: inline-block; width: 1.4rem; height: .7rem; margin-right: .35rem; vertical-align: -.05rem; }

.stage { border-top: 1px solid var(--line); padding: .5rem 0; }
.stage > summary { cursor: pointer; font-weight: 600; font-size: 1.05rem; }
dl { margin: 0; }
dl > div { display: grid; grid-template-columns: 9rem minmax(0, 1fr); column-gap: .8rem;
  padding: .15rem 0 .15rem calc(var(--depth, 0) * 1.2rem); }
dt { color: var(--dim); overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; }
dd small { display: block; color: var(--dim); }
div.good > dd { color: var(--good); } div.warning > dd { color: var(--warning); } div.bad > dd { color: var(--bad); }
  div.dim > dd { color: var(--dim); }
figure { margin: .5rem 0; } figcaption { color: var(--dim); }
pre { margin: .2rem 0; padding: .6rem .8rem; overflow-x: auto; background: var(--ground);
  border: 1px solid var(--line); border-radius: 4px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
figure ul { margin: 0; padding-left: 1.1rem; color: var(--dim); font-size: .85rem; }

@media (max-width: 760px) {
  body { padding: .8rem .7rem; }
  .row, .axis, .lines { grid-template-columns: minmax(0, 1fr) auto auto auto; }
  .row { padding: .25rem .2rem; row-gap: .15rem; border-bottom: 1px solid var(--line); }
  .label, .lookup .label, .attempt .label, .tls .label, .server .label, .sql .label, .timing .label { grid-column: 1;
    padding-left: calc(var(--depth, 0) * .6rem); }
  .kind { display: none; } .status { grid-column: 2; } .size { grid-column: 3; } .took { grid-column: 4; }
  .bar, .lines .bar { grid-column: 1 / -1; } .lines { display: none; }
  dl > div { grid-template-columns: 1fr; } h1 { font-size: 1.15rem; }
}
@media print { body { max-width: none; } .row, details { break-inside: avoid; } }
""".strip()
