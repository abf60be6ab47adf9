"""The pseudo-elements that Chrome knows.

In: a name without its colons. Out: whether a rule with it counts. Data, but for that question.
"""

from __future__ import annotations

__all__ = ["is_pseudo_element"]

_ELEMENTS = frozenset(
    {
        "before", "after", "marker", "first-line", "first-letter", "selection", "placeholder", "backdrop",
        "file-selector-button", "cue", "slotted", "part", "highlight", "target-text", "spelling-error", "grammar-error",
        "search-text", "details-content", "view-transition", "view-transition-group", "view-transition-image-pair",
        "view-transition-old", "view-transition-new", "scroll-marker", "scroll-marker-group", "scroll-button", "column",
        "checkmark", "picker-icon", "picker",
    }
)  # fmt: skip
_WEBKIT = frozenset(
    {
        "calendar-picker-indicator", "clear-button", "color-swatch", "color-swatch-wrapper", "date-and-time-value",
        "datetime-edit", "datetime-edit-ampm-field", "datetime-edit-day-field", "datetime-edit-fields-wrapper",
        "datetime-edit-hour-field", "datetime-edit-millisecond-field", "datetime-edit-minute-field",
        "datetime-edit-month-field", "datetime-edit-second-field", "datetime-edit-text", "datetime-edit-week-field",
        "datetime-edit-year-field", "details-marker", "file-upload-button", "inner-spin-button", "input-placeholder",
        "media-controls", "media-controls-current-time-display", "media-controls-enclosure", "media-controls-fullscreen-button",
        "media-controls-mute-button", "media-controls-overlay-enclosure", "media-controls-overlay-play-button",
        "media-controls-panel", "media-controls-play-button", "media-controls-time-remaining-display",
        "media-controls-timeline", "media-controls-toggle-closed-captions-button", "media-controls-volume-slider",
        "media-slider-container", "media-slider-thumb", "media-text-track-container", "media-text-track-display", "meter-bar",
        "meter-even-less-good-value", "meter-inner-element", "meter-optimum-value", "meter-suboptimum-value", "progress-bar",
        "progress-inner-element", "progress-value", "resizer", "scrollbar", "scrollbar-button", "scrollbar-corner",
        "scrollbar-thumb", "scrollbar-track", "scrollbar-track-piece", "search-cancel-button", "search-decoration",
        "search-results-button", "slider-container", "slider-runnable-track", "slider-thumb", "textfield-decoration-container",
    }
)  # fmt: skip


def is_pseudo_element(name: str) -> bool:
    """Whether Chrome knows it; a rule with another one is dropped."""
    return name in _ELEMENTS or (name.startswith("-webkit-") and name[8:] in _WEBKIT)
