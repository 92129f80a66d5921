//! Programs from files.

use std::fs;
use std::io::{self, Read};

use rjax_ir::Program;
use rjax_stablehlo::{bytecode, import};

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
    if bytes.starts_with(&bytecode::MAGIC) {
        let imported = bytecode::read(&bytes).and_then(|module| import(&module));
        return imported.map(|imported| imported.program).map_err(|e| format!("{name}: {e}"));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{name}: not a program: neither text nor StableHLO bytecode"))?;
    if is_stablehlo(&text) {
        let imported = rjax_stablehlo::text::read(&text, name).and_then(|module| import(&module));
        return imported.map(|imported| imported.program).map_err(|e| e.to_string());
    }
    Program::parse(&text, name).map_err(|e| e.to_string())
}

/// Whether text is an MLIR module rather than a program of our own, which begins with a brace after its comments.
fn is_stablehlo(text: &str) -> bool {
    let code = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("//"));
    code.is_some_and(|line| ["module", "func.func", "builtin.module", "#loc"].iter().any(|word| line.starts_with(word)))
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
