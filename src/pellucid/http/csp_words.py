"""The directives of Content Security Policy, in words. Data only: name -> what the sources behind it are for."""

from __future__ import annotations

__all__ = ["DIRECTIVES"]

DIRECTIVES: dict[str, str] = {
    "default-src": "everything else from",
    "child-src": "frames and workers from",
    "connect-src": "connections of scripts to",
    "fenced-frame-src": "fenced frames from",
    "font-src": "fonts from",
    "frame-src": "frames from",
    "img-src": "pictures from",
    "manifest-src": "manifests from",
    "media-src": "sound and video from",
    "object-src": "plug-ins from",
    "prefetch-src": "what is fetched ahead from",
    "script-src": "scripts from",
    "script-src-elem": "script elements from",
    "script-src-attr": "scripts in attributes from",
    "style-src": "styles from",
    "style-src-elem": "style elements from",
    "style-src-attr": "styles in attributes from",
    "worker-src": "workers from",
    "base-uri": "<base> may name",
    "form-action": "forms may be sent to",
    "frame-ancestors": "it may be shown in frames of",
    "navigate-to": "links may lead to",
    "sandbox": "it runs in a sandbox that allows",
    "plugin-types": "plug-ins may be of the types",
    "report-uri": "breaches are told to",
    "report-to": "breaches are told to the endpoint",
    "require-sri-for": "integrity is demanded for",
    "require-trusted-types-for": "only trusted types may make",
    "trusted-types": "trusted types may be made by",
    "upgrade-insecure-requests": "http links are taken for https",
    "block-all-mixed-content": "nothing over http in a page of https",
    "webrtc": "WebRTC connections:",
}
