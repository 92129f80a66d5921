//! Programs written as StableHLO and read back compute what they did, over the whole table of samples.
//!
//! With `RJAX_STABLEHLO_OUT=FOLDER` the artifacts are left there for other parsers and compilers.

use std::path::{Path, PathBuf};

use rjax_codegen_tpu::export;
use rjax_ir::{Aval, Builder, DType, Linalg, Op, Program, Scalar, Tensor, eval};
use rjax_stablehlo::bytecode::{self, Version};
use rjax_stablehlo::{import, mlir, text};
use rjax_tests::compare::same;
use rjax_tests::exported::{agree, distance, is_exported};
use rjax_tests::programs::{Style, random_program};
use rjax_tests::report::{Outcome, check_all};
use rjax_tests::samples::{self, Sample};

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
    leave(name, &module)?;
    let [read, _] = read_back(&module)?;
    let found = eval(&read, inputs).map_err(|e| e.to_string())?;
    if let Some(outcome) = agree(program, inputs, &found, &expected) {
        return outcome;
    }
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        same(found, expected, ulps).map_err(|e| format!("output {i}: {e}\n{program}\n{read}"))?;
    }
    Ok(())
}

/// Leaves an artifact and its text where `RJAX_STABLEHLO_OUT` says.
fn leave(name: &str, module: &mlir::Module) -> Outcome {
    let Some(folder) = std::env::var_os("RJAX_STABLEHLO_OUT").map(PathBuf::from) else { return Ok(()) };
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let stem: String = name.chars().map(word).take(120).collect();
    // Names that differ in their signs or their ends only are told apart by numbers.
    let numbered = (1..).map(|n| folder.join(if n == 1 { stem.clone() } else { format!("{stem}_{n}") }));
    let free = numbered.into_iter().find(|path| !path.with_extension("mlirbc").exists());
    let path = free.expect("numbers do not end");
    let write = |extension: &str, bytes: &[u8]| {
        std::fs::write(path.with_extension(extension), bytes).map_err(|e| e.to_string())
    };
    write("mlirbc", &bytecode::write(module, Version::DEFAULT).map_err(|e| e.to_string())?)?;
    write("mlir", text::print(module).map_err(|e| e.to_string())?.as_bytes())
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

/// Matrices that are hard on the QR algorithm, beside those of the samples.
#[test]
fn general_eigenvalues_read_back() {
    let kinds: [(&str, usize, fn(usize, usize) -> f64); 7] = [
        ("general", 9, |i, j| (1.3 * (i * i + 7 * j) as f64).sin()),
        // The usual shifts leave a cyclic permutation as it is.
        ("cyclic", 5, |i, j| ((j + 1) % 5 == i) as u8 as f64),
        ("zero", 3, |_, _| 0.0),
        ("identity", 4, |i, j| (i == j) as u8 as f64),
        ("triangular", 4, |i, j| if i <= j { (i + 2 * j + 1) as f64 } else { 0.0 }),
        ("graded", 5, |i, j| ((i + 2 * j) as f64 + 0.5).cos() * 10f64.powi(-(i as i32) - j as i32)),
        ("large", 3, |i, j| ((3 * i + j) as f64).sin() * 1e30),
    ];
    let ops = [
        Linalg::Eig { left: true, right: true },
        Linalg::Eig { left: false, right: false },
        Linalg::Schur { vectors: true },
    ];
    let dtypes = [DType::F32, DType::F64, DType::C64, DType::C128];
    let cases = ops.iter().flat_map(|&op| dtypes.map(|dtype| (op, dtype)));
    check_all(
        cases.flat_map(|(op, dtype)| kinds.map(|kind| (op, dtype, kind))),
        |(op, dtype, (kind, ..))| format!("{op:?} of {kind} {dtype}"),
        |&(op, dtype, (kind, n, element))| {
            // Another matrix beside the one in question, which is finished sooner or later.
            let positions = (0..2).flat_map(|k| (0..n * n).map(move |at| (k, at / n, at % n)));
            let elements = positions.map(|(k, i, j)| {
                let other = (1.7 * ((i + 2) * (3 * j + 1)) as f64).sin();
                let parts = if k == 0 { [element(i, j), element(j, i)] } else { [other, 0.5] };
                let [re, im] = parts.map(|part| Scalar::from_f64(dtype.real(), part).bits()[0]);
                Scalar::from_bits(dtype, [re, if dtype.is_complex() { im } else { 0 }])
            });
            let elements: Vec<Scalar> = elements.collect();
            let a = Tensor::from_scalars(&Aval::new(dtype, [2, n, n]), &elements);
            let mut b = Builder::new();
            let x = b.input(a.aval());
            let outputs = b.emit(Op::Linalg(op), &[x]);
            check(&format!("{op:?} {kind}"), &b.finish(outputs), &[a], 64.0)
        },
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

/// Modules below folders.
fn modules(mut folders: Vec<PathBuf>) -> Vec<PathBuf> {
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

fn imported(path: &Path) -> Result<Program, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let module = bytecode::read(&bytes).map_err(|e| e.to_string())?;
    Ok(import(&module).map_err(|e| e.to_string())?.program)
}

/// What was imported once is the same program after writing and reading, as bytecode and as text; and it can be exported. Modules are
/// those of the repository, all of which import, and those below the folders that `RJAX_STABLEHLO_MODULES` names, separated
/// by colons, as far as they import.
#[test]
fn modules_from_jax_read_back() {
    let repository = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut checked = modules(vec![repository.join("rjax/benches/modules"), repository.join("rjax/tests/data")]);
    assert!(checked.len() > 10);
    if let Some(named) = std::env::var_os("RJAX_STABLEHLO_MODULES") {
        let others = modules(std::env::split_paths(&named).collect());
        let (known, unknown): (Vec<_>, Vec<_>) = others.into_iter().partition(|path| imported(path).is_ok());
        println!("{} other modules import, {} do not", known.len(), unknown.len());
        checked.extend(known);
    }
    check_all(
        checked,
        |path| path.display().to_string(),
        |path| {
            let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
            let module = bytecode::read(&bytes).map_err(|e| e.to_string())?;
            let program = imported(path)?;
            let [read, _] = read_back(&module)?;
            if read != program {
                return Err(format!("{program}\nis read back as\n{read}"));
            }
            if !is_exported(&program) {
                return Ok(());
            }
            let module = export(&program, &Default::default()).map_err(|e| e.to_string())?;
            leave(&format!("module_{}", path.file_stem().unwrap_or_default().to_string_lossy()), &module)?;
            read_back(&module).map(drop)
        },
    );
}
