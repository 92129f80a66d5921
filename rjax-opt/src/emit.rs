//! Showing a program at a stage of its compilation.

use rjax_ir::text;

use crate::args::{Form, Show};
use crate::{Result, read, write_output};

/// Writes the form asked for.
pub fn emit(show: &Show) -> Result<()> {
    let file = show.source.file.as_deref().expect("clap requires FILE");
    let lanes = vec![show.source.batch_size; show.source.transforms.0.len()];
    let program = read::transformed(&show.source, read::program(file)?, &lanes)?;
    let text = match show.emit {
        Form::Program => format!("{program}\n"),
        Form::Dot => text::dot(&program),
    };
    write_output(show.output.as_deref(), text.as_bytes())
}
