//! Programs written as StableHLO and read back compute what they did, over the whole table of samples.
//!
//! With `RJAX_STABLEHLO_OUT=FOLDER` the artifacts are left there for other parsers, with inputs and expected outputs.

use std::path::PathBuf;

use rjax_ir::{DType, Linalg, Op, Program, Tensor, Unary, eval};
use rjax_stablehlo::bytecode::{self, Version};
use rjax_stablehlo::{export, import, mlir, text};
use rjax_tests::compare::same;
use rjax_tests::programs::{Style, random_program};
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Sample};

/// Ops that StableHLO cannot express.
#[allow(clippy::wildcard_enum_match_arm, reason = "the ops that are left out are listed")]
fn is_exported(program: &Program) -> bool {
    let inner = program.eqns.iter().flat_map(|eqn| eqn.op.subprograms());
    let here = |op: &Op| match op {
        Op::DebugPrint(_) | Op::CustomLinear(_) => false,
        Op::Linalg(linalg) => matches!(linalg, Linalg::Cholesky | Linalg::TriangularSolve { .. }),
        // Padding equals the greatest u64: a known fault of export, described in docs/differences-from-jax.md.
        Op::SelectAndScatterAdd(_) => program.avals[0].dtype != DType::U64,
        _ => true,
    };
    program.eqns.iter().all(|eqn| here(&eqn.op)) && inner.into_iter().all(|program| is_exported(program))
}

/// How far, in units of the last place of the greatest element, the elementary functions that an op is written with may
/// take the result away from its own.
fn distance(program: &Program, own: f64) -> f64 {
    // lgamma is exact to 1e-14 absolute near its zeros, which is many units where nothing greater is in the array.
    let is_lgamma = |op: &Op| matches!(op, Op::Unary(Unary::Lgamma));
    if program.eqns.iter().any(|eqn| is_lgamma(&eqn.op)) {
        return own.max(2048.0);
    }
    let special = |op: &Op| matches!(op, Op::Unary(_) | Op::Binary(_) | Op::RegularizedIncompleteBeta);
    if program.eqns.iter().any(|eqn| special(&eqn.op)) { own.max(64.0) } else { own.max(8.0) }
}

fn read_back(module: &mlir::Module) -> Result<[Program; 2], String> {
    let bytes = bytecode::write(module, Version::DEFAULT).map_err(|e| e.to_string())?;
    if bytes != bytecode::write(module, Version::DEFAULT).map_err(|e| e.to_string())? {
        return Err("the bytes differ from one writing to the next".into());
    }
    let printed = text::print(module).map_err(|e| e.to_string())?;
    let from_bytes = bytecode::read(&bytes).map_err(|e| e.to_string())?;
    let from_text = text::read(&printed, "printed").map_err(|e| format!("{e}\n{printed}"))?;
    let again = text::print(&from_bytes).map_err(|e| e.to_string())?;
    let program = |module: &mlir::Module| import(module).map(|i| i.program).map_err(|e| format!("{e}\n{printed}"));
    let programs = [program(&from_bytes)?, program(&from_text)?];
    if programs[0] != programs[1] {
        return Err(format!("bytecode and text differ:\n{printed}\n{again}"));
    }
    Ok(programs)
}

fn check(name: &str, program: &Program, inputs: &[Tensor], ulps: f64) -> Outcome {
    let expected = eval(program, inputs).map_err(|e| e.to_string())?;
    let module = export(program, &Default::default()).map_err(|e| e.to_string())?;
    leave(name, &module, inputs, &expected)?;
    let [read, _] = read_back(&module)?;
    let found = eval(&read, inputs).map_err(|e| e.to_string())?;
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        same(found, expected, ulps).map_err(|e| format!("output {i}: {e}\n{program}\n{read}"))?;
    }
    Ok(())
}

/// Leaves an artifact, its text, and what goes in and should come out.
fn leave(name: &str, module: &mlir::Module, inputs: &[Tensor], outputs: &[Tensor]) -> Outcome {
    let Some(folder) = std::env::var_os("RJAX_STABLEHLO_OUT").map(PathBuf::from) else { return Ok(()) };
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let stem: String = name.chars().map(word).take(120).collect();
    let write = |extension: &str, bytes: &[u8]| {
        std::fs::write(folder.join(format!("{stem}.{extension}")), bytes).map_err(|e| e.to_string())
    };
    write("mlirbc", &bytecode::write(module, Version::DEFAULT).map_err(|e| e.to_string())?)?;
    write("mlir", text::print(module).map_err(|e| e.to_string())?.as_bytes())?;
    let mut values = String::new();
    for (kind, tensors) in [("in", inputs), ("out", outputs)] {
        for tensor in tensors {
            let hex: String = tensor.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            values.push_str(&format!("{kind} {} {hex}\n", tensor.aval()));
        }
    }
    write("values", values.as_bytes())
}

#[test]
fn samples_read_back() {
    let exported = |sample: &Sample| sample.evaluates() && is_exported(&sample.program);
    check_all(
        samples::all().into_iter().filter(exported),
        |s| s.name.clone(),
        |sample| check(&sample.name, &sample.program, &sample.tensors(3), distance(&sample.program, sample.ulps)),
    );
}

#[test]
fn random_programs_read_back() {
    check_all(
        0..120u64,
        |seed| format!("seed {seed}"),
        |&seed| {
            let style = if seed % 2 == 0 { Style::Mixed } else { Style::Smooth };
            let (program, inputs) = random_program(seed, style);
            check(&format!("random {seed}"), &program, &inputs, 4096.0)
        },
    );
}

/// Modules that JAX wrote: those of the repository, and all below the folders that `RJAX_STABLEHLO_MODULES` names, separated by colons.
fn modules() -> Vec<PathBuf> {
    let repository = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut folders = vec![repository.join("rjax/benches/modules"), repository.join("rjax/tests/data")];
    if let Some(named) = std::env::var_os("RJAX_STABLEHLO_MODULES") {
        folders.extend(std::env::split_paths(&named));
    }
    let mut found = vec![];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.expect("entries of a folder that was opened can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "mlirbc") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What was imported once is the same program after writing and reading, as bytecode and as text.
#[test]
fn modules_from_jax_read_back() {
    let modules = modules();
    println!("{} modules", modules.len());
    assert!(modules.len() > 10);
    check_all(
        modules,
        |path| path.display().to_string(),
        |path| {
            let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
            let module = bytecode::read(&bytes).map_err(|e| e.to_string())?;
            let program = import(&module).map_err(|e| e.to_string())?.program;
            if let Some(folder) = std::env::var_os("RJAX_STABLEHLO_OUT").map(PathBuf::from) {
                let stem = path.file_stem().expect("files have names").to_string_lossy().into_owned();
                let bytes = bytecode::write(&module, Version::DEFAULT).map_err(|e| e.to_string())?;
                std::fs::write(folder.join(format!("module_{stem}.mlirbc")), bytes).map_err(|e| e.to_string())?;
            }
            let [read, _] = read_back(&module)?;
            if read == program { Ok(()) } else { Err(format!("{program}\nis read back as\n{read}")) }
        },
    );
}
