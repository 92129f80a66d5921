//! The invariants of `docs/architecture.md` that the compiler does not hold by itself.

use std::fs;
use std::path::{Path, PathBuf};

/// What each crate may use of the others. An edge is a decision: it belongs in `docs/architecture.md` too.
const EDGES: &[(&str, &[&str])] = &[
    ("ir", &[]),
    ("autodiff", &["rjax-ir"]),
    ("rewrite", &["rjax-ir"]),
    ("kernel", &["rjax-ir"]),
    ("stablehlo", &["rjax-ir"]),
    ("runtime", &["rjax-ir"]),
    ("codegen-cpu", &["rjax-ir", "rjax-kernel", "rjax-runtime"]),
    ("codegen-tpu", &["rjax-ir", "rjax-stablehlo"]),
    ("rjax-derive", &[]),
    (
        "rjax",
        &[
            "rjax-autodiff",
            "rjax-codegen-cpu",
            "rjax-codegen-tpu",
            "rjax-derive",
            "rjax-ir",
            "rjax-kernel",
            "rjax-rewrite",
            "rjax-runtime",
            "rjax-stablehlo",
        ],
    ),
];

/// The crates in which unsafe code is allowed.
const UNSAFE: &[&str] = &["runtime", "codegen-cpu"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace holds this crate").to_path_buf()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The names under `[dependencies]`; those of tests and benches are free.
fn dependencies(manifest: &str) -> Vec<&str> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or("");
    let section = section.split("\n[").next().unwrap_or("");
    section.lines().filter_map(|line| line.split(['.', '=', ' ']).next()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn crates_use_only_what_lies_below_them() {
    for (folder, allowed) in EDGES {
        let manifest = read(&root().join(folder).join("Cargo.toml"));
        for name in dependencies(&manifest).into_iter().filter(|name| name.starts_with("rjax")) {
            assert!(allowed.contains(&name), "{folder} uses {name}; it may use {allowed:?}");
        }
    }
}

#[test]
fn unsafe_code_stays_in_its_crates() {
    let workspace = read(&root().join("Cargo.toml"));
    assert!(workspace.contains("unsafe_code = \"deny\""));
    for (folder, _) in EDGES {
        let library = read(&root().join(folder).join("src/lib.rs"));
        let forbidden = library.contains("#![forbid(unsafe_code)]");
        let allowed = UNSAFE.contains(folder);
        assert!(forbidden != allowed, "{folder}: unsafe code is {}", if forbidden { "forbidden" } else { "allowed" });
    }
}

/// Every unsafe block says why it is sound.
#[test]
fn unsafe_blocks_have_reasons() {
    let mut blocks = 0;
    for folder in UNSAFE {
        for file in sources(&root().join(folder).join("src")) {
            let text = read(&file);
            let lines: Vec<&str> = text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let code = line.split("//").next().unwrap_or("");
                if !code.contains("unsafe {") {
                    continue;
                }
                blocks += 1;
                let above = lines[number.saturating_sub(8)..=number].iter().any(|l| l.contains("SAFETY:"));
                assert!(above, "{}:{}: an unsafe block without a SAFETY line", file.display(), number + 1);
            }
        }
    }
    assert!(blocks > 0, "the search finds the blocks that there are");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files = vec![];
    for path in entries.map(|entry| entry.expect("a readable entry").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}
