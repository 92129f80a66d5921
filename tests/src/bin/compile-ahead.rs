//! `compile-ahead PLUGIN TOPOLOGY`: compiles artifacts for devices that need not be there, one for each path on standard input,
//! and answers each with a line: `ok`, or `error` and the message.
//!
//! Compilers hang and abort, so the tests run this in a process of its own and start it anew when one is lost. To compile thousands
//! of programs in one process each would take too long: the first one takes most of a second.

use std::io::{self, BufRead, Write};

use rjax_runtime::pjrt::{Plugin, Topology};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, topology] = &arguments[..] else { return Err("usage: compile-ahead PLUGIN TOPOLOGY".to_string()) };
    let plugin = Plugin::load(plugin).map_err(|e| e.to_string())?;
    let topology = Topology::new(plugin, topology).map_err(|e| e.to_string())?;
    for path in io::stdin().lock().lines() {
        let path = path.map_err(|e| e.to_string())?;
        let code = std::fs::read(&path).map_err(|e| format!("{path}: {e}"))?;
        let compiled = topology.compile(&code, 1, 1).and_then(|compiled| compiled.memory_stats());
        let answer = match compiled {
            Ok(_) => "ok".to_string(),
            Err(error) => format!("error {}", error.message.replace('\n', " ")),
        };
        // Whatever the compiler prints stands on lines of its own.
        println!("\n{answer}");
        io::stdout().flush().map_err(|e| e.to_string())?;
    }
    Ok(())
}
