//! Showing a program at a stage of its compilation.

use rjax_ir::text;
use rjax_stablehlo::bytecode;

use crate::args::{Form, Show, Target};
use crate::{Result, ahead, html, pipeline, read, write_output};

/// Writes the form asked for.
pub fn emit(show: &Show) -> Result<()> {
    let source = &show.source;
    let file = source.file.as_deref().expect("clap requires FILE");
    let lanes = vec![source.batch_size; source.transforms.0.len()];
    let program = read::transformed(source, read::program(file)?, &lanes)?;
    if let Target::Tpu(topology) = &show.target
        && let Some(bytes) = ahead::emit(show, topology, &program)?
    {
        return write_output(show.output.as_deref(), &bytes);
    }
    let compiles = !matches!(
        show.emit,
        Form::Program
            | Form::Stablehlo
            | Form::StablehloBytecode
            | Form::Dot
            | Form::Memory
            | Form::Hlo
            | Form::Executable
    );
    let prints = |pass: &str| compiles && source.print_after.iter().any(|name| name == pass || name == "all");
    if prints("simplify") {
        eprintln!("# after simplify\n{}", pipeline::simplified(source, &program)?.0);
    }
    if prints("plan") {
        eprintln!("# after plan\n{}", pipeline::nests(source, &program)?);
    }
    let text = match show.emit {
        Form::Program => format!("{program}\n"),
        Form::Simplified => format!("{}\n", pipeline::simplified(source, &program)?.0),
        Form::Nests => pipeline::nests(source, &program)?,
        Form::Kir => pipeline::module(source, &program, &[])?.to_string(),
        Form::Schedule => rjax_codegen_cpu::schedule_text(&pipeline::module(source, &program, &[])?),
        Form::Clif => pipeline::clif(source, &program)?,
        Form::Asm => pipeline::asm(source, &program)?,
        Form::Stablehlo => {
            let module = pipeline::stablehlo(&program, &pipeline::export_options(show))?;
            rjax_stablehlo::text::print(&module).map_err(|e| e.to_string())?
        }
        Form::StablehloBytecode => {
            let module = pipeline::stablehlo(&program, &pipeline::export_options(show))?;
            let bytes = bytecode::write(&module, show.vhlo_version).map_err(|e| e.to_string())?;
            return write_output(show.output.as_deref(), &bytes);
        }
        Form::Dot => text::dot(&program),
        Form::Html => html::page(source, &program)?,
        Form::Cost => pipeline::cost(source, &program)?,
        form @ (Form::Memory | Form::Hlo | Form::Executable) => {
            let name = format!("{form:?}").to_lowercase();
            return Err(format!("--emit={name}: say for which devices, as in --target=tpu:v5e:1x1"));
        }
        Form::Statistics => pipeline::simplified(source, &program)?.1.statistics(),
        Form::Explain => pipeline::simplified(source, &program)?.1.to_string(),
    };
    write_output(show.output.as_deref(), text.as_bytes())
}
