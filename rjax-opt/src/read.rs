//! Programs from files.

use std::fs;
use std::io::{self, Read};

use rjax_ir::Program;

use crate::Result;
use crate::args::Source;

/// The program in a file, or on standard input for `-`.
pub fn program(file: &str) -> Result<Program> {
    let (bytes, name) = if file == "-" {
        let mut bytes = vec![];
        io::stdin().read_to_end(&mut bytes).map_err(|e| format!("standard input: {e}"))?;
        (bytes, "<stdin>")
    } else {
        (fs::read(file).map_err(|e| format!("{file}: {e}"))?, file)
    };
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{name}: not a program: neither text nor any known format"))?;
    Program::parse(&text, name).map_err(|e| e.to_string())
}

/// The program that a command line describes; `lanes` gives the batch sizes of its transformations.
pub fn transformed(source: &Source, program: Program, lanes: &[usize]) -> Result<Program> {
    let mut program = program;
    for (transform, &lanes) in source.transforms.0.iter().zip(lanes) {
        program = transform.apply(&program, lanes)?;
        if source.print_after.iter().any(|pass| pass == transform.name() || pass == "all") {
            eprintln!("# after {}\n{program}", transform.name());
        }
        if source.verify {
            rjax_ir::verify(&program).map_err(|e| format!("after --{}: {e}", transform.name()))?;
        }
    }
    Ok(program)
}
