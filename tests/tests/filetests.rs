//! Runs the files in `filetests/`: programs with comments that say what they compute; `filetests/README.md` has the format.

use std::fs;
use std::path::{Path, PathBuf};

use rjax_ir::{Program, Tensor, text};
use rjax_tests::compare::same;
use rjax_tests::filetest::{BACKENDS, Check, Section, sections, transformed};
use rjax_tests::report::check_all;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jaxpr"));
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("it is a file").to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<Section>, String> {
    let contents = fs::read_to_string(path).map_err(|e| e.to_string())?;
    sections(&contents, &file_name(path))
}

/// Every `run` line holds on every backend.
#[test]
fn programs_compute_what_they_say() {
    let mut cases = vec![];
    for path in files() {
        let name = file_name(&path);
        let sections = read(&path).unwrap_or_else(|e| panic!("{e}"));
        assert!(!sections.is_empty(), "{name} holds no program");
        for section in sections {
            cases.extend(section.checks.iter().cloned().map(|check| (name.clone(), section.text.clone(), check)));
        }
    }
    let place = |(name, _, check): &(String, String, Check)| match check {
        Check::Run { line, .. } => format!("{name}:{line}"),
        Check::Show(_) | Check::Error { .. } => name.clone(),
    };
    check_all(cases, place, |(name, text, check)| match check {
        Check::Run { line: _, transforms, inputs, outputs, ulps } => {
            let program = Program::parse(text, name).map_err(|e| e.to_string())?;
            let program = transformed(&program, transforms, inputs)?;
            let mut failures = vec![];
            for (backend, run) in BACKENDS {
                let outcome = run(&program, inputs).map_err(|e| e.to_string());
                if let Err(e) = outcome.and_then(|found| same_outputs(&found, outputs, *ulps)) {
                    failures.push(format!("{backend}: {e}"));
                }
            }
            if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
        }
        Check::Error { line, column, message } => {
            let Err(e) = Program::parse(text.trim(), name) else {
                return Err(format!("expected the error {message:?}, but the program is accepted"));
            };
            let (expected, found) =
                (format!("{line}:{column}: {message}"), format!("{}:{}: {}", e.line, e.column, e.message));
            if found == expected { Ok(()) } else { Err(format!("found the error\n{found}\nexpected\n{expected}")) }
        }
        Check::Show(_) => Ok(()),
    });
}

fn same_outputs(found: &[Tensor], expected: &[Tensor], ulps: f64) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("found {} outputs, expected {}", found.len(), expected.len()));
    }
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        same(found, expected, ulps).map_err(|e| format!("output {index}: {e}\nfound {found}\nexpected {expected}"))?;
    }
    Ok(())
}

/// Programs print as the file has them, and `show` lines print what the snapshot has.
#[test]
fn programs_print_as_they_stand() {
    let mut wrong = vec![];
    insta::glob!("../filetests", "*.jaxpr", |path| {
        let (name, mut shown) = (file_name(path), String::new());
        for section in read(path).unwrap_or_else(|e| panic!("{e}")) {
            let Ok(program) = Program::parse(&section.text, &name) else { continue };
            let printed = program.to_string();
            if printed != section.text.trim() {
                wrong.push(format!("{name}:{} prints as\n{printed}", section.line));
            }
            for check in &section.checks {
                if let Check::Show(transforms) = check {
                    let words: Vec<String> = transforms.iter().map(|t| format!(" {t}")).collect();
                    let result = transformed(&program, transforms, &[]).unwrap_or_else(|e| panic!("{name}: {e}"));
                    shown.push_str(&format!("{printed}\n\n#{}\n{result}\n\n", words.concat()));
                }
            }
        }
        if !shown.is_empty() {
            insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "../filetests/snapshots" }, {
                insta::assert_snapshot!("show", shown.trim_end());
            });
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every op has a line that says what it does, and a file of its name in which it runs.
#[test]
fn every_op_has_a_file_and_a_doc_line() {
    let mut missing = vec![];
    let files = files();
    for name in text::names() {
        if text::doc(name).is_empty() {
            missing.push(format!("{name} has no doc line"));
        }
        let Some(path) = files.iter().find(|path| path.file_stem().is_some_and(|stem| stem == name)) else {
            missing.push(format!("there is no filetests/{name}.jaxpr"));
            continue;
        };
        let sections = read(path).unwrap_or_else(|e| panic!("{e}"));
        let runs = |section: &Section| {
            let program = Program::parse(&section.text, name);
            program.is_ok_and(|program| program.eqns.iter().any(|eqn| eqn.op.name() == name))
                && section.checks.iter().any(|check| matches!(check, Check::Run { .. }))
        };
        // The tangent of a custom_vjp call has no value; it exists between linearization and transposition only.
        if name != "custom_lin" && !sections.iter().any(runs) {
            missing.push(format!("filetests/{name}.jaxpr runs no program with {name}"));
        }
    }
    let known = |path: &&PathBuf| text::names().iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name));
    let errors = |path: &&PathBuf| file_name(path).starts_with("error-") || file_name(path).starts_with("issue-");
    let strangers = files.iter().filter(|path| !known(path) && !errors(path));
    missing
        .extend(strangers.map(|path| format!("{} is neither about an op nor an error nor an issue", file_name(path))));
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
