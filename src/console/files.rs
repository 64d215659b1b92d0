//! The files of the console, as they are in the binary.

/// A file that the console serves.
pub(super) struct File {
    /// Its path below the folder of assets.
    pub(super) name: &'static str,
    /// What is in it.
    pub(super) bytes: &'static [u8],
}

impl File {
    /// Its media type.
    pub(super) fn kind(&self) -> &'static str {
        match self.name.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "html")) => "text/html; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "application/octet-stream",
        }
    }
}

macro_rules! files {
    ($($name:literal,)*) => {
        &[$(File {
            name: $name,
            bytes: include_bytes!(concat!("assets/", $name)),
        },)*]
    };
}

/// Every file of the folder `assets`.
pub(super) const FILES: &[File] = files![
    "api.js",
    "attempt.js",
    "chart.js",
    "command.js",
    "dom.js",
    "filters.js",
    "history.js",
    "icon.svg",
    "index.html",
    "json.js",
    "main.js",
    "pages/changes.js",
    "pages/dead_letters.js",
    "pages/deliveries.js",
    "pages/delivery.js",
    "pages/missed.js",
    "pages/overview.js",
    "pages/replay.js",
    "pages/replays.js",
    "pages/sign_in.js",
    "pages/source.js",
    "pages/sources.js",
    "pages/subscription.js",
    "pages/subscriptions.js",
    "pages/system.js",
    "pages/webhook.js",
    "pages/webhook/content.js",
    "pages/webhook/explained.js",
    "pages/webhook/life.js",
    "pages/webhooks.js",
    "parts.js",
    "refresh.js",
    "router.js",
    "section.js",
    "shell.js",
    "state.js",
    "style.css",
    "switch.js",
    "table.js",
    "time.js",
    "timebar.js",
    "url.js",
    "words.js",
];
