//! `rjax-opt check` on files that check themselves and on cases with a manifest.

use std::path::PathBuf;
use std::process::{Command, Output};

const MODULES: &str = r#"
func.func @right() {
  %a = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  %b = stablehlo.add %a, %a : tensor<2xi32>
  check.expect_eq_const %b, dense<[2, 4]> : tensor<2xi32>
  func.return
}
// -----
module {
  func.func @main() {
    %a = func.call @three() : () -> tensor<f32>
    %b = stablehlo.constant dense<3.05> : tensor<f32>
    check.expect_almost_eq %a, %b, tolerance = 0.1 : tensor<f32>
    check.expect_close %a, %b, max_ulp_difference = 3 : tensor<f32>, tensor<f32>
    func.return
  }
  func.func private @three() -> tensor<f32> {
    %a = stablehlo.constant dense<3.0> : tensor<f32>
    func.return %a : tensor<f32>
  }
  func.func @takes_an_input(%a: tensor<f32>) -> tensor<f32> {
    func.return %a : tensor<f32>
  }
}
// -----
func.func @not_parsable() {
"#;

/// A folder of this test alone.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

fn check(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rjax-opt")).arg("check").args(arguments).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
fn text_with_several_modules() {
    let folder = folder("check-text");
    let (before_broken, _) = MODULES.rsplit_once("// -----").expect("there is a last module");
    let file = folder.join("modules.mlir");
    std::fs::write(&file, before_broken).expect("the file can be written");
    let report = folder.join("report.json");
    for device in ["cpu", "interp"] {
        let path = folder.to_string_lossy();
        let (output, text) = check(&["--device", device, "--report", &report.to_string_lossy(), &path]);
        assert_eq!(output.status.code(), Some(1), "{text}");
        let reason = "check 1: expected at most 3 ulps; 1 of 1 off; first 3.0:f32 for 3.05:f32 at 0";
        let expected = format!("run modules.mlir:9 @main: {reason}\nrun: 1 of 2\n1 passed, 1 failed, 0 skipped\n");
        assert_eq!(text, expected);
    }
    let report = std::fs::read_to_string(report).expect("the report is there");
    assert!(
        report.starts_with("{\"device\":\"interp\",\"passed\":1,\"failed\":1,\"skipped\":0,\"seconds\":"),
        "{report}"
    );

    std::fs::write(&file, MODULES).expect("the file can be written");
    let (output, text) = check(&[&file.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("modules.mlir: module at line 26: expected a name"), "{text}");
    let (output, text) = check(&["--kind", "vjp", &file.to_string_lossy()]);
    assert_eq!((output.status.code(), text.as_str()), (Some(0), "0 passed, 0 failed, 0 skipped\n"));
}

#[test]
fn wrong_use_is_one_message() {
    let folder = folder("check-wrong");
    std::fs::write(folder.join("manifest.jsonl"), "{\"name\": \"a\"}\n").expect("the file can be written");
    let path = folder.to_string_lossy();
    let error = |arguments: &[&str]| {
        let (output, _) = check(arguments);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(error(&[&path]).ends_with("manifest.jsonl:1: there is no `dtypes`\n"));
    assert!(error(&["no/such/folder"]).starts_with("error: no/such/folder: "));
    assert!(error(&["--device", "abacus", &path]).starts_with("error: device: there is no device `abacus`"));
    // A case whose files are missing fails, and the others go on.
    let row = r#"{"name": "a", "group": "add", "kinds": ["run"], "dtypes": {"in0": "float32"}}"#;
    std::fs::write(folder.join("manifest.jsonl"), row).expect("the file can be written");
    let (output, text) = check(&[&path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("run a: ") && text.ends_with("0 passed, 1 failed, 0 skipped\n"), "{text}");
}
