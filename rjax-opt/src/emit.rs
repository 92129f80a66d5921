//! Showing a program at a stage of its compilation.

use rjax_ir::{Program, text};
use rjax_rewrite::{Options, Report, simplify_explained};

use crate::args::{Form, Show};
use crate::{Result, read, write_output};

/// Writes the form asked for.
pub fn emit(show: &Show) -> Result<()> {
    let file = show.source.file.as_deref().expect("clap requires FILE");
    let lanes = vec![show.source.batch_size; show.source.transforms.0.len()];
    let program = read::transformed(&show.source, read::program(file)?, &lanes)?;
    let text = match show.emit {
        Form::Program => format!("{program}\n"),
        Form::Simplified => format!("{}\n", simplified(&program)?.0),
        Form::Nests => rjax_kernel::nests(&simplified(&program)?.0, &Default::default()).map_err(|e| e.to_string())?,
        Form::Kir => format!("{}\n", module(&program)?),
        Form::Clif => rjax_codegen_cpu::clif_text(&module(&program)?).map_err(|e| e.to_string())?,
        Form::Asm => rjax_codegen_cpu::asm_text(&module(&program)?).map_err(|e| e.to_string())?,
        Form::Dot => text::dot(&program),
        Form::Cost => cost(&program)?,
        Form::Explain => simplified(&program)?.1.to_string(),
    };
    write_output(show.output.as_deref(), text.as_bytes())
}

/// The program as the compiler simplifies it before it fuses.
fn simplified(program: &Program) -> Result<(Program, Report)> {
    simplify_explained(program, &Options::default()).map_err(|e| e.to_string())
}

/// The kernels of the simplified program.
fn module(program: &Program) -> Result<rjax_kernel::kir::Module> {
    rjax_kernel::plan(&simplified(program)?.0, &Default::default()).map_err(|e| e.to_string())
}

/// One JSON object; flops and bytes by the formula of `rjax_rewrite::cost`.
fn cost(program: &Program) -> Result<String> {
    let after = simplified(program)?.0;
    let kernels = rjax_kernel::plan(&after, &Default::default()).map_err(|e| e.to_string())?.kernels.len();
    let object = |program: &Program| {
        let cost = rjax_rewrite::cost(program);
        format!("{{\"flops\":{},\"bytes\":{}}}", cost.flops, cost.bytes)
    };
    Ok(format!("{{\"before\":{},\"after\":{},\"kernels\":{kernels}}}\n", object(program), object(&after)))
}
