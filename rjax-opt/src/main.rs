//! `rjax-opt`: reads a program, transforms it, shows any stage of its compilation, runs it and compares it with others.
//!
//! Whatever is wrong with the input is one message on standard error and exit status 2.

#![forbid(unsafe_code)]

mod ahead;
mod args;
mod bench;
mod check;
mod emit;
mod figure;
mod html;
mod npy;
mod npz;
mod ops;
mod pipeline;
mod pjrt;
mod read;
mod run;
mod transform;

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use rjax_ir::text;

use args::{Args, Command};

/// A message for the user.
type Result<T, E = String> = std::result::Result<T, E>;

fn main() -> ExitCode {
    match run_command(&Args::parse()) {
        Ok(status) => status,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run_command(args: &Args) -> Result<ExitCode> {
    match &args.command {
        None => emit::emit(&args.show),
        Some(Command::Run(options)) => run::run(options),
        Some(Command::Bench(options)) => bench::bench(options),
        Some(Command::Ops) => write_output(None, ops::matrix().as_bytes()),
        Some(Command::Rules) => write_output(None, rjax_rewrite::rules::page().as_bytes()),
        Some(Command::Devices) => {
            let lines: String = rjax_runtime::devices().iter().map(|report| format!("{report}\n")).collect();
            write_output(None, lines.as_bytes())
        }
        Some(Command::CompileAhead { folder }) => rjax_runtime::pjrt::serve(folder).map_err(|e| e.to_string()),
        Some(Command::Check(options)) => return check::check(options),
        Some(Command::Diff { before, after }) => return diff(before, after),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Prints what distinguishes two programs; status 0 if nothing does, otherwise 1.
fn diff(before: &str, after: &str) -> Result<ExitCode> {
    let difference = text::diff(&read::program(before)?, &read::program(after)?);
    let lines: String = difference.iter().map(|line| format!("{line}\n")).collect();
    write_output(None, lines.as_bytes())?;
    Ok(if difference.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes to a file, or to standard output for `None` and `-`. A reader that has seen enough, as `head` has, is no error.
fn write_output(path: Option<&str>, bytes: &[u8]) -> Result<()> {
    match path {
        Some(path) if path != "-" => fs::write(path, bytes).map_err(|e| format!("{path}: {e}")),
        Some(_) | None => match io::stdout().lock().write_all(bytes) {
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {e}")),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}
