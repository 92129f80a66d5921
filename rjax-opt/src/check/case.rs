//! Where cases come from and what they run on.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rjax_codegen_cpu::{Options, compile};
use rjax_ir::{Program, Tensor, eval};
use rjax_runtime::{Device, threads};

use super::harness::Row;
use super::{Kind, Outcome, Verdict, selfcheck};
use crate::args::Source;
use crate::pjrt::{Plugged, pjrt_path};
use crate::transform::Transforms;
use crate::{Result, pipeline};

/// The device of a run.
pub enum Target {
    Interpreter,
    /// With the number of threads for the kernels of one case.
    Cpu(usize),
    Pjrt(Plugged),
}

impl Target {
    /// The device with this name; cases that run side by side share the threads.
    pub fn parse(name: &str, jobs: Option<usize>) -> Result<Target> {
        if let Some(path) = pjrt_path(name)? {
            return Plugged::new(&path).map(Target::Pjrt);
        }
        Ok(match Device::parse(name).map_err(|e| e.to_string())? {
            Device::Interpreter => Target::Interpreter,
            Device::Cpu => Target::Cpu(if jobs == Some(1) { threads() } else { 1 }),
            Device::Pjrt(_) => unreachable!("plugins have been taken care of"),
        })
    }

    /// The outputs of a program.
    pub fn execute(&self, program: &Program, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        match self {
            Target::Interpreter => eval(program, inputs).map_err(|e| e.to_string()),
            Target::Cpu(threads) => {
                let module = pipeline::module(&untransformed(), program, &[])?;
                let executable = compile(&module, &Options { threads: *threads }).map_err(|e| e.to_string())?;
                executable.call(inputs).map_err(|e| e.to_string())
            }
            Target::Pjrt(plugged) => plugged.compile(program)?.call(inputs).map_err(|e| e.to_string()),
        }
    }
}

/// A command line without transformations.
pub fn untransformed() -> Source {
    Source {
        file: None,
        transforms: Transforms::default(),
        no_simplify: false,
        verify: false,
        print_after: vec![],
        batch_size: 2,
    }
}

/// One file with what it is asked.
pub struct Case {
    name: String,
    what: What,
    kinds: Vec<Kind>,
}

enum What {
    /// A case of JAX's harness and the folder it is in.
    Harness(Row, PathBuf),
    /// A StableHLO file that checks itself.
    File(PathBuf),
}

impl Case {
    /// The verdicts on all that is asked.
    pub fn run(&self, target: &Target) -> Vec<Verdict> {
        match &self.what {
            What::Harness(row, folder) => {
                let case = row.load(folder);
                let ask = |&kind: &Kind| {
                    let start = Instant::now();
                    let outcome = match &case {
                        Ok(case) => case.ask(kind, target),
                        Err(reason) => Outcome::Failed(reason.clone()),
                    };
                    Verdict { name: self.name.clone(), kind, outcome, seconds: start.elapsed().as_secs_f64() }
                };
                self.kinds.iter().map(ask).collect()
            }
            What::File(path) => selfcheck::run(path, target),
        }
    }

    /// The same outcome for all that is asked.
    pub fn all(&self, outcome: impl Fn() -> Outcome) -> Vec<Verdict> {
        let verdict = |&kind| Verdict { name: self.name.clone(), kind, outcome: outcome(), seconds: 0.0 };
        self.kinds.iter().map(verdict).collect()
    }
}

/// The cases under the paths whose names contain the filter, in a fixed order.
pub fn find(paths: &[String], filter: &str, kinds: &[Kind]) -> Result<Vec<Case>> {
    let mut cases = vec![];
    for path in paths {
        let path = Path::new(path);
        let meta = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
        if meta.is_dir() {
            folder(path, kinds, &mut cases)?;
        } else {
            single(path, kinds, &mut cases)?;
        }
    }
    cases.retain(|case| case.name.contains(filter) && !case.kinds.is_empty());
    Ok(cases)
}

fn is_stablehlo(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "mlirbc" || e == "mlir" || e == "bc")
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The rows of a folder's manifest; none where there is no manifest.
fn manifest(folder: &Path) -> Result<Vec<Row>> {
    let path = folder.join("manifest.jsonl");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(vec![]) };
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let row = |(number, line)| Row::parse(line).map_err(|e| format!("{}:{}: {e}", path.display(), number + 1));
    lines.map(row).collect()
}

fn harness(row: Row, folder: &Path, kinds: &[Kind]) -> Case {
    let kinds = kinds.iter().copied().filter(|&kind| row.kinds.contains(&kind) || kind == Kind::Vmap).collect();
    Case { name: row.name.clone(), what: What::Harness(row, folder.to_path_buf()), kinds }
}

/// A file that checks itself is asked one thing.
fn file(path: &Path, kinds: &[Kind]) -> Case {
    let kinds = kinds.iter().copied().filter(|&kind| kind == Kind::Run).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Case { name, what: What::File(path.to_path_buf()), kinds }
}

fn folder(path: &Path, kinds: &[Kind], cases: &mut Vec<Case>) -> Result<()> {
    let rows = manifest(path)?;
    let listed: HashSet<String> = rows.iter().map(|row| row.name.clone()).collect();
    cases.extend(rows.into_iter().map(|row| harness(row, path, kinds)));
    let entries = fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut entries: Vec<PathBuf> =
        entries.map_err(|e| format!("{}: {e}", path.display()))?.iter().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            folder(&entry, kinds, cases)?;
        } else if is_stablehlo(&entry) && !listed.contains(&stem(&entry)) {
            cases.push(file(&entry, kinds));
        }
    }
    Ok(())
}

/// A file by itself: a case of its folder's manifest, or one that checks itself.
fn single(path: &Path, kinds: &[Kind], cases: &mut Vec<Case>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let row = manifest(folder)?.into_iter().find(|row| row.name == stem(path));
    cases.push(match row {
        Some(row) => harness(row, folder, kinds),
        None => file(path, kinds),
    });
    Ok(())
}
