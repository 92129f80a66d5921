//! What each op becomes as StableHLO: a snapshot of one program of its file in `filetests/`, or of the reason why there is none.
//!
//! After a change that is meant to change them: `INSTA_UPDATE=always cargo test -p rjax-tests --test stablehlo_text`, then read
//! the difference.

use std::path::Path;

use rjax_codegen_tpu::{Options, export};
use rjax_ir::{DType, Op, Program, text};
use rjax_tests::filetest::sections;

/// Beside the programs.
const SNAPSHOTS: &str = "../filetests/stablehlo";

/// The program of the file that has the op it is named after; one on `f32` where there is one, since other dtypes differ by conversions
/// around it.
fn program(path: &Path) -> Option<Program> {
    let name = path.file_stem()?.to_str()?;
    let contents = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let sections = sections(&contents, name).unwrap_or_else(|e| panic!("{e}"));
    let programs = sections.iter().filter_map(|section| Program::parse(&section.text, name).ok());
    let of_op: Vec<Program> = programs.filter(|p| p.eqns.iter().any(|eqn| eqn.op.name() == name)).collect();
    let on_f32 = |p: &&Program| p.in_avals().iter().chain(&p.out_avals()).any(|aval| aval.dtype == DType::F32);
    of_op.iter().find(on_f32).or(of_op.first()).cloned()
}

/// The text, or the error; collectives are between two replicas along each of their axes.
fn written(program: &Program) -> String {
    let mut mesh: Vec<_> = vec![];
    for eqn in &program.eqns {
        if let Op::Collective(collective) = &eqn.op {
            mesh.extend(collective.axes().iter().map(|axis| (axis.clone(), 2)));
        }
    }
    mesh.dedup();
    match export(program, &Options { mesh, ..Options::default() }) {
        Ok(module) => rjax_stablehlo::text::print(&module).unwrap_or_else(|e| panic!("{program}\n{e}")),
        Err(error) => format!("error: {}", error.message),
    }
}

#[test]
fn programs_are_written_as_the_snapshots_have_them() {
    insta::glob!("../filetests", "*.jaxpr", |path| {
        let Some(program) = program(path) else { return };
        let shown = format!("{program}\n\n{}", written(&program));
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => SNAPSHOTS }, {
            insta::assert_snapshot!("stablehlo", shown.trim_end());
        });
    });
}

/// Every op has a snapshot, which is an error for those alone that StableHLO cannot say.
#[test]
fn every_op_has_a_snapshot() {
    const REFUSED: [&str; 2] = ["custom_lin", "debug_print"];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("filetests/stablehlo");
    let mut wrong = vec![];
    for name in text::names() {
        let path = folder.join(format!("stablehlo@{name}.jaxpr.snap"));
        match std::fs::read_to_string(&path) {
            Err(e) => wrong.push(format!("{}: {e}", path.display())),
            Ok(snapshot) if snapshot.contains("\nerror: ") != REFUSED.contains(&name) => {
                wrong.push(format!("{}: it is refused, or it is not", path.display()));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
