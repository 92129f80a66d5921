//! Programs from files.

use std::fs;
use std::io::{self, Read};

use rjax_ir::Program;
use rjax_stablehlo::mlir::Module;
use rjax_stablehlo::{bytecode, import};

use crate::Result;
use crate::args::Source;

/// A program with the names that its inputs had where it was exported from (`xs[1]`), as far as they are known.
pub struct Named {
    pub program: Program,
    pub input_names: Vec<Option<String>>,
}

impl Named {
    fn import(module: &Module) -> rjax_ir::Result<Named> {
        let input_names = module.entry_names().into_iter().map(|name| name.map(str::to_string)).collect();
        Ok(Named { program: import(module)?.program, input_names })
    }

    /// The positions of the inputs among the arguments of the exported function, of which `jax.export` drops those that are not
    /// used. The names say so where they count one list of arguments: `xs[0]`, `xs[2]`.
    pub fn positions(&self) -> Option<Vec<usize>> {
        let numbered = |name: &Option<String>| -> Option<(String, usize)> {
            let (list, index) = name.as_deref()?.strip_suffix(']')?.rsplit_once('[')?;
            Some((list.to_string(), index.parse().ok()?))
        };
        let numbered: Vec<(String, usize)> = self.input_names.iter().map(numbered).collect::<Option<_>>()?;
        let same_list = numbered.windows(2).all(|pair| pair[0].0 == pair[1].0 && pair[0].1 < pair[1].1);
        same_list.then(|| numbered.into_iter().map(|(_, index)| index).collect())
    }
}

/// The program in a file, or on standard input for `-`.
pub fn program(file: &str) -> Result<Program> {
    Ok(named(file)?.program)
}

/// The program in a file, or on standard input for `-`, and the names of its inputs.
pub fn named(file: &str) -> Result<Named> {
    let (bytes, name) = if file == "-" {
        let mut bytes = vec![];
        io::stdin().read_to_end(&mut bytes).map_err(|e| format!("standard input: {e}"))?;
        (bytes, "<stdin>")
    } else {
        (fs::read(file).map_err(|e| format!("{file}: {e}"))?, file)
    };
    if bytes.starts_with(&bytecode::MAGIC) {
        let imported = bytecode::read(&bytes).and_then(|module| Named::import(&module));
        return imported.map_err(|e| format!("{name}: {e}"));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| format!("{name}: not a program: neither text nor StableHLO bytecode"))?;
    if is_stablehlo(&text) {
        let imported = rjax_stablehlo::text::read(&text, name).and_then(|module| Named::import(&module));
        return imported.map_err(|e| e.to_string());
    }
    let program = Program::parse(&text, name).map_err(|e| e.to_string())?;
    let input_names = vec![None; program.invars.len()];
    Ok(Named { program, input_names })
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
