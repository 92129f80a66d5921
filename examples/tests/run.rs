//! Every example runs and finds what it says it finds.

use std::path::Path;
use std::process::Command;

/// What an example prints, run in a folder of its own.
fn output(example: &str) -> String {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(example.rsplit('/').next().expect("a path has a last part"));
    std::fs::create_dir_all(&folder).expect("the folder of temporary files can be written");
    let output = Command::new(example).current_dir(&folder).output().expect("it was built for this test");
    let text = String::from_utf8(output.stdout).expect("it prints text");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The first number behind some words.
fn number(text: &str, words: &str) -> f64 {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in\n{text}"));
    let word = rest.trim_start().split([' ', ',', '\n', '%']).next().expect("split has a first part");
    word.parse().unwrap_or_else(|_| panic!("{words:?} is followed by {word:?} in\n{text}"))
}

#[test]
fn digits_learns_and_draws() {
    let text = output(env!("CARGO_BIN_EXE_digits"));
    assert!(number(&text, "test accuracy: ") >= 97.0, "{text}");
    assert!(text.contains("most surprising test images"), "{text}");
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("digits/out/digits.svg");
    let picture = std::fs::read_to_string(picture).expect("the picture was written");
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
}

#[test]
fn readme_sums_the_gradients_of_examples() {
    let text = output(env!("CARGO_BIN_EXE_readme"));
    let differences: Vec<f64> = text.split("to the gradient, to ").skip(1).map(|rest| number(rest, "")).collect();
    assert!(differences.len() == 3 && differences.iter().all(|&difference| difference < 1e-5), "{text}");
}

#[test]
fn hessian_converges_quadratically() {
    let text = output(env!("CARGO_BIN_EXE_hessian"));
    assert!(number(&text, "step 8: |gradient| = ") < 1e-11, "{text}");
    assert!(number(&text, "true plane") > 0.999, "{text}");
}

#[test]
fn ode_finds_the_rates() {
    assert!(number(&output(env!("CARGO_BIN_EXE_ode")), "found to") < 2.0);
}

#[test]
fn control_flow_is_differentiated() {
    let text = output(env!("CARGO_BIN_EXE_control_flow"));
    let root = 2f64.sqrt();
    assert!((number(&text, "its derivative: ") - 0.5 / root).abs() < 1e-8, "{text}");
    assert!((number(&text, "its second derivative: ") + 0.25 / (2.0 * root)).abs() < 1e-8, "{text}");
    assert_eq!(number(&text, "f'(x)  = "), number(&text, "compiled: "), "{text}");
    assert!(text.contains("`square_root` is being traced under jit"), "{text}");
}
