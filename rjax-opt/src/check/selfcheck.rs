//! StableHLO files that say themselves what is right.
//!
//! Of bytecode `main` is run. A text file may hold several modules; of each, every function without inputs that no other
//! one calls is run.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rjax_stablehlo::mlir::{Module, Operation};
use rjax_stablehlo::{bytecode, import_function, text};

use super::case::Target;
use super::compare::expect;
use super::{Kind, Outcome, Verdict};
use crate::Result;

/// The verdicts on a file's functions.
pub fn run(path: &Path, target: &Target) -> Vec<Verdict> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let start = Instant::now();
    let verdict = |name: String, start: Instant, outcome: Outcome| Verdict {
        name,
        kind: Kind::Run,
        outcome,
        seconds: start.elapsed().as_secs_f64(),
    };
    let functions = match functions(path) {
        Ok(functions) => functions,
        Err(reason) => return vec![verdict(name, start, Outcome::Failed(reason))],
    };
    if functions.is_empty() {
        let reason = "there is no function without inputs".to_string();
        return vec![verdict(name, start, Outcome::Skipped(reason))];
    }
    let only = functions.len() == 1;
    let ask = |(place, module, function): (String, std::rc::Rc<Module>, String)| {
        let start = Instant::now();
        let outcome = answer(&module, &function, target).into();
        let name = if only { name.clone() } else { format!("{name}{place} @{function}") };
        verdict(name, start, outcome)
    };
    functions.into_iter().map(ask).collect()
}

/// What to run of a file: where its module begins, the module, and the function's name.
fn functions(path: &Path) -> Result<Vec<(String, std::rc::Rc<Module>, String)>> {
    let file = path.to_string_lossy();
    let bytes = fs::read(path).map_err(|e| format!("{file}: {e}"))?;
    if bytes.starts_with(&bytecode::MAGIC) {
        let module = std::rc::Rc::new(bytecode::read(&bytes).map_err(|e| e.to_string())?);
        let runnable = module.function("main").is_some_and(|main| main.body.arguments.is_empty());
        return Ok(if runnable { vec![(String::new(), module, "main".to_string())] } else { vec![] });
    }
    let source = String::from_utf8(bytes).map_err(|_| "neither text nor StableHLO bytecode".to_string())?;
    let parts = text::split(&source);
    let several = parts.len() > 1;
    let mut found = vec![];
    for (line, part) in parts {
        let module = std::rc::Rc::new(text::read(part, &file).map_err(|e| format!("module at line {line}: {e}"))?);
        let place = if several { format!(":{line}") } else { String::new() };
        let mut called = vec![];
        for function in &module.functions {
            callees(&function.body.operations, &mut called);
        }
        for function in &module.functions {
            if function.body.arguments.is_empty() && !called.contains(&function.name) {
                found.push((place.clone(), module.clone(), function.name.clone()));
            }
        }
    }
    Ok(found)
}

/// The names of the functions that operations call.
fn callees(operations: &[Operation], called: &mut Vec<String>) {
    for operation in operations {
        for attribute in ["callee", "decomposition"] {
            called.extend(operation.string(attribute).ok().map(str::to_string));
        }
        for region in &operation.regions {
            callees(&region.operations, called);
        }
    }
}

fn answer(module: &Module, function: &str, target: &Target) -> Result<()> {
    let imported = import_function(module, function).map_err(|e| e.to_string())?;
    let outputs = target.execute(&imported.program, &[])?;
    // The checked pairs follow the function's own results.
    let pairs = &outputs[outputs.len() - 2 * imported.checks.len()..];
    for (number, (pair, &check)) in pairs.chunks_exact(2).zip(&imported.checks).enumerate() {
        expect(&pair[0], &pair[1], check).map_err(|e| format!("check {number}: {e}"))?;
    }
    Ok(())
}
