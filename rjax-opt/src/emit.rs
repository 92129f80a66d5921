//! Showing a program at a stage of its compilation.

use rjax_ir::text;
use rjax_stablehlo::bytecode;

use crate::args::{Form, Show};
use crate::{Result, pipeline, read, write_output};

/// Writes the form asked for.
pub fn emit(show: &Show) -> Result<()> {
    let source = &show.source;
    let file = source.file.as_deref().expect("clap requires FILE");
    let lanes = vec![source.batch_size; source.transforms.0.len()];
    let program = read::transformed(source, read::program(file)?, &lanes)?;
    let text = match show.emit {
        Form::Program => format!("{program}\n"),
        Form::Simplified => format!("{}\n", pipeline::simplified(source, &program)?.0),
        Form::Nests => pipeline::nests(source, &program)?,
        Form::Kir => pipeline::module(source, &program, &[])?.to_string(),
        Form::Schedule => rjax_codegen_cpu::schedule_text(&pipeline::module(source, &program, &[])?),
        Form::Clif => pipeline::clif(source, &program)?,
        Form::Asm => pipeline::asm(source, &program)?,
        Form::Stablehlo => {
            let module = pipeline::stablehlo(&program)?;
            rjax_stablehlo::text::print(&module).map_err(|e| e.to_string())?
        }
        Form::StablehloBytecode => {
            let module = pipeline::stablehlo(&program)?;
            let bytes = bytecode::write(&module, show.vhlo_version).map_err(|e| e.to_string())?;
            return write_output(show.output.as_deref(), &bytes);
        }
        Form::Dot => text::dot(&program),
        Form::Cost => pipeline::cost(source, &program)?,
        Form::Explain => pipeline::simplified(source, &program)?.1.to_string(),
    };
    write_output(show.output.as_deref(), text.as_bytes())
}
