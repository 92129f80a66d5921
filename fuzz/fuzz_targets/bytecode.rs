//! Any bytes: an error or a module, which then imports or does not, and can be written again or cannot.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rjax_stablehlo::{bytecode, import, text};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(module) = bytecode::read(bytes) {
        let _ = import(&module);
        let _ = text::print(&module);
        if let Ok(written) = bytecode::write(&module, bytecode::Version::DEFAULT) {
            bytecode::read(&written).expect("what was written can be read");
        }
    }
});
