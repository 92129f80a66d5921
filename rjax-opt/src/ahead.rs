//! `--target=tpu:…`: programs compiled for devices that need not be here.

use std::time::Duration;

use rjax_ir::Program;
use rjax_runtime::pjrt::{AheadOptions, Report};
use rjax_stablehlo::bytecode::{self, Version};

use crate::args::{Form, Show};
use crate::{Result, pipeline};

/// The form for TPUs of a topology; `None` for forms that are the same for every target.
pub fn emit(show: &Show, topology: &str, program: &Program) -> Result<Option<Vec<u8>>> {
    Ok(match show.emit {
        Form::Cost => Some(cost(&compile(show, topology, program)?).into_bytes()),
        Form::Memory => Some(memory(&compile(show, topology, program)?).into_bytes()),
        Form::Hlo => match compile(show, topology, program)?.optimized {
            Some(text) => Some(text.into_bytes()),
            None => return Err("--emit=hlo: the plugin shows its programs in no form that is known here".to_string()),
        },
        Form::Executable => Some(compile(show, topology, program)?.executable),
        Form::Program
        | Form::Simplified
        | Form::Stablehlo
        | Form::StablehloBytecode
        | Form::Dot
        | Form::Html
        | Form::Statistics
        | Form::Explain => None,
        form @ (Form::Nests | Form::Kir | Form::Schedule | Form::Clif | Form::Asm) => {
            let name = format!("{form:?}").to_lowercase();
            return Err(format!("--emit={name}: TPUs have none; ask for hlo, cost, memory or executable"));
        }
    })
}

fn compile(show: &Show, topology: &str, program: &Program) -> Result<Report> {
    let mut options = AheadOptions::tpu(topology).map_err(|e| e.to_string())?;
    // The tool is its own helper.
    options.helper = Some(std::env::current_exe().map_err(|e| format!("the path of rjax-opt is not known: {e}"))?);
    options.time_limit = Duration::from_secs_f64(show.time_limit);
    let exported = pipeline::export_options(show);
    (options.replicas, options.partitions) = exported.replicas_and_partitions();
    let module = pipeline::stablehlo(program, &exported)?;
    let code = bytecode::write(&module, Version::DEFAULT).map_err(|e| e.to_string())?;
    options.compile(&code).map_err(|e| e.to_string())
}

/// The compiler's own names and numbers.
fn cost(report: &Report) -> String {
    let line = |(name, value): &(String, f64)| format!("{name:?}:{value:?}");
    // Numbers that JSON has no notation for.
    let finite = report.cost.iter().filter(|(_, value)| value.is_finite());
    format!("{{{}}}\n", finite.map(line).collect::<Vec<_>>().join(","))
}

fn memory(report: &Report) -> String {
    let m = &report.memory;
    format!(
        "{{\"code\":{},\"arguments\":{},\"outputs\":{},\"aliases\":{},\"temporaries\":{},\"peak\":{}}}\n",
        m.code, m.arguments, m.outputs, m.aliases, m.temporaries, m.peak
    )
}
