//! Any text: an error or a module, which then imports or does not, and can be printed again or cannot.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rjax_stablehlo::{import, text};

fuzz_target!(|source: &str| {
    for (_, part) in text::split(source) {
        if let Ok(module) = text::read(part, "fuzz") {
            let _ = import(&module);
            let _ = text::print(&module);
        }
    }
});
