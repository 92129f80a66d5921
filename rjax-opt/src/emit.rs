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
        Form::Dot => text::dot(&program),
        Form::Explain => simplified(&program)?.1.to_string(),
    };
    write_output(show.output.as_deref(), text.as_bytes())
}

/// The program as the compiler simplifies it before it fuses.
fn simplified(program: &Program) -> Result<(Program, Report)> {
    simplify_explained(program, &Options::default()).map_err(|e| e.to_string())
}
