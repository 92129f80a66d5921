//! Reading and importing artifacts that JAX wrote (`tests/data/make.py`), and text.

use std::path::Path;

use rjax_ir::{Op, Tensor, eval, verify};
use rjax_stablehlo::{bytecode, import, mlir, text};

fn artifacts() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the data folder is there")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "mlirbc"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "the artifacts are missing");
    let name = |path: &Path| path.file_stem().expect("a file name").to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).expect("a readable file"))).collect()
}

/// The largest distance of two tensors, relative to the size of the second one.
fn distance(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.aval(), want.aval());
    let size = (0..want.shape().size()).map(|i| want.get(i).to_f64().abs()).fold(1e-30, f64::max);
    let off = |i| (got.get(i).to_f64() - want.get(i).to_f64()).abs();
    (0..want.shape().size()).map(off).fold(0.0, f64::max) / size
}

/// Each artifact returns pairs: what it computes, and what JAX computed.
#[test]
fn imported_programs_compute_what_jax_computes() {
    for (name, bytes) in artifacts() {
        let module = bytecode::read(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let program = import(&module).unwrap_or_else(|e| panic!("{name}: {e}")).program;
        verify(&program).unwrap_or_else(|e| panic!("{name}: {e}"));
        let outputs = eval(&program, &[]).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!outputs.is_empty());
        for pair in outputs.chunks(2) {
            let exact = !pair[1].dtype().is_inexact();
            let off = distance(&pair[0], &pair[1]);
            assert!(off <= if exact { 0.0 } else { 2e-5 }, "{name}: off by {off}:\n{:?}\n{:?}", pair[0], pair[1]);
        }
    }
}

/// Loops with a constant number of steps become scans, which reverse mode needs; others stay while loops.
#[test]
fn counted_loops_become_scans() {
    let count = |name: &str, is: fn(&Op) -> bool| {
        let (_, bytes) = artifacts().into_iter().find(|(n, _)| n == name).expect("the artifact is there");
        let program = import(&bytecode::read(&bytes).unwrap()).unwrap().program;
        fn walk(program: &rjax_ir::Program, is: fn(&Op) -> bool) -> usize {
            let nested = |op: &Op| op.subprograms().into_iter().map(|p| walk(p, is)).sum::<usize>();
            program.eqns.iter().map(|eqn| is(&eqn.op) as usize + nested(&eqn.op)).sum()
        }
        walk(&program, is)
    };
    assert_eq!(count("rnn_grad", |op| matches!(op, Op::Scan(_))), 2);
    assert_eq!(count("rnn_grad", |op| matches!(op, Op::While(_))), 0);
    assert_eq!(count("collatz", |op| matches!(op, Op::While(_))), 1);
}

/// Cut off or with a byte changed, an artifact gives an error or another module, and never a panic.
#[test]
fn malformed_bytecode_is_an_error() {
    let (_, bytes) = artifacts().into_iter().find(|(name, _)| name == "branches").expect("the artifact is there");
    for end in 0..bytes.len() {
        assert!(bytecode::read(&bytes[..end]).is_err(), "cut off at {end}");
    }
    for position in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[position] ^= change;
            if let Ok(module) = bytecode::read(&changed) {
                let _ = import(&module);
            }
        }
    }
    let error = bytecode::read(b"{ lambda").unwrap_err();
    assert_eq!(error.message, "bytecode: at byte 0: this is not MLIR bytecode: the first bytes are not 4D 4C EF 52");
}

/// What import says of modules that can be read but mean nothing; each begins with it, as a comment.
#[test]
fn malformed_modules_are_refused() {
    let source = include_str!("malformed.mlir");
    let modules: Vec<_> = text::split(source).into_iter().skip(1).collect();
    assert!(modules.len() > 10);
    for (_, module) in modules {
        let expected = module.trim_start().lines().next().and_then(|line| line.strip_prefix("// "));
        let expected = expected.unwrap_or_else(|| panic!("no expectation in {module}"));
        let read = text::read(module, "malformed.mlir").unwrap_or_else(|e| panic!("{e}\n{module}"));
        let error = import(&read).err().unwrap_or_else(|| panic!("is imported:\n{module}"));
        assert_eq!(error.message, format!("stablehlo.{expected}"), "{module}");
    }
}

const TEXT: &str = r#"
module @jit_main attributes {mhlo.num_partitions = 1 : i32} {
  func.func public @main() -> (tensor<2xf32> {jax.result_info = ""}) {
    %cst = stablehlo.constant dense<[1.000000e+00, 2.0]> : tensor<2xf32>
    %c = stablehlo.constant dense<0> : tensor<i32>
    %bits = stablehlo.constant dense<"0x0000803F00000040"> : tensor<2xf32>
    %0:2 = stablehlo.while(%iterArg = %c, %iterArg_0 = %cst) : tensor<i32>, tensor<2xf32>
    cond {
      %three = stablehlo.constant dense<3> : tensor<i32>
      %2 = stablehlo.compare  LT, %iterArg, %three,  SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
      stablehlo.return %2 : tensor<i1>
    } do {
      %2 = func.call @double(%iterArg_0) : (tensor<2xf32>) -> tensor<2xf32>
      %one = stablehlo.constant dense<1> : tensor<i32>
      %3 = stablehlo.add %iterArg, %one : tensor<i32>
      stablehlo.return %3, %2 : tensor<i32>, tensor<2xf32>
    }
    %1 = stablehlo.reduce(%0#1 init: %zero) applies stablehlo.add across dimensions = [0] : (tensor<2xf32>, tensor<f32>) -> tensor<f32>
    return %0#1 : tensor<2xf32>
  }
  func.func private @double(%arg0: tensor<2xf32>) -> tensor<2xf32> {
    %0 = stablehlo.add %arg0, %arg0 : tensor<2xf32>
    return %0 : tensor<2xf32>
  }
}
"#;

fn read_text(source: &str) -> rjax_ir::Result<mlir::Module> {
    text::read(source, "main.mlir")
}

#[test]
fn text_is_read_and_its_errors_have_places() {
    let broken = read_text(TEXT).unwrap_err();
    assert_eq!(broken.message, "%zero is not defined");
    assert_eq!(broken.location.to_string(), "main.mlir:18:38");
    let fixed = TEXT
        .replace("init: %zero", "init: %zero_")
        .replace("%c = ", "%zero_ = stablehlo.constant dense<0.0> : tensor<f32>\n    %c = ");
    let program = import(&read_text(&fixed).unwrap()).unwrap().program;
    assert_eq!(eval(&program, &[]).unwrap()[0].to_vec::<f32>(), [8.0, 16.0]);

    let unknown =
        import(&read_text(&fixed.replace("stablehlo.add %arg0, %arg0", "stablehlo.uniform_quantize %arg0")).unwrap());
    let unknown = unknown.unwrap_err();
    assert_eq!(unknown.message, "stablehlo.uniform_quantize: this operation is not supported");
    assert_eq!(unknown.location.to_string(), "main.mlir:23:10");
}

/// Arithmetic on 8-bit floats and 4-bit integers is done on wide types, and the module reads back the same from both forms.
#[test]
fn narrow_types_are_stored_and_computed_with_wide_ones() {
    let source = r#"
module @narrow {
  func.func public @main() -> (tensor<2xf8E4M3FN>, tensor<2xi4>, tensor<f32>, tensor<3xui4>, tensor<2xf8E8M0FNU>) {
    %a = stablehlo.constant dense<[1.125, -4.480000e+02]> : tensor<2xf8E4M3FN>
    %b = stablehlo.constant dense<"0x39BA"> : tensor<2xf8E4M3FN>
    %product = stablehlo.multiply %a, %b : tensor<2xf8E4M3FN>
    %i = stablehlo.constant dense<[7, -3]> : tensor<2xi4>
    %sum = stablehlo.add %i, %i : tensor<2xi4>
    %dot = stablehlo.dot_general %a, %b, contracting_dims = [0] x [0] : (tensor<2xf8E4M3FN>, tensor<2xf8E4M3FN>) -> tensor<f32>
    %u = stablehlo.constant dense<[15, 0, 9]> : tensor<3xui4>
    %reversed = stablehlo.reverse %u, dims = [0] : tensor<3xui4>
    %scales = stablehlo.convert %a : (tensor<2xf8E4M3FN>) -> tensor<2xf8E8M0FNU>
    return %product, %sum, %dot, %reversed, %scales : tensor<2xf8E4M3FN>, tensor<2xi4>, tensor<f32>, tensor<3xui4>, tensor<2xf8E8M0FNU>
  }
}
"#;
    let program = import(&read_text(source).unwrap()).unwrap().program;
    let outputs = eval(&program, &[]).unwrap();
    let values: Vec<Vec<f64>> =
        outputs.iter().map(|x| (0..x.shape().size()).map(|i| x.get(i).to_f64()).collect()).collect();
    // 1.265625 rounds to 1.25; 0xba is -1.25, and 560 is beyond the greatest number.
    assert!(values[0][0] == 1.25 && values[0][1].is_nan(), "{values:?}");
    assert_eq!(values[1], [-2.0, -6.0]);
    assert_eq!(values[2], [561.265625]);
    assert_eq!(values[3], [9.0, 0.0, 15.0]);
    assert!(values[4][0] == 1.0 && values[4][1].is_nan(), "{values:?}");

    let module = rjax_codegen_tpu::export(&program, &Default::default()).unwrap();
    let text = text::print(&module).unwrap();
    let again = import(&read_text(&text).unwrap()).unwrap().program;
    let bytes = bytecode::write(&module, bytecode::Version::DEFAULT).unwrap();
    let from_bytes = import(&bytecode::read(&bytes).unwrap()).unwrap().program;
    for program in [again, from_bytes] {
        let found = eval(&program, &[]).unwrap();
        assert!(found.iter().zip(&outputs).all(|(found, expected)| found.bits_equal(expected)), "{text}");
    }
}

#[test]
fn modules_of_one_file_are_split() {
    let source = "// a comment\nmodule @a {\n}\n// -----\nmodule @b {\n}\n// -----\n// nothing here\n";
    let parts = text::split(source);
    assert_eq!(parts.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 5]);
    assert!(parts[1].1.contains("@b"));
}

/// JAX writes the incomplete gamma functions out as loops, which could not be differentiated in reverse.
#[test]
fn loops_of_incomplete_gamma_functions_are_contracted() {
    let (_, bytes) = artifacts().into_iter().find(|(name, _)| name == "gamma").expect("gamma.mlirbc is there");
    let program = import(&bytecode::read(&bytes).expect("readable")).expect("importable").program;
    let names = |wanted: &str| program.to_string().matches(wanted).count();
    assert_eq!((names("= igamma "), names("= igammac "), names("while[")), (1, 1, 0), "{program}");
}
