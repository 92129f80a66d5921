//! What becomes of a program on its way to machine code: simplified, fused and lowered, compiled.

use rjax_codegen_cpu::{asm_text, clif_text};
use rjax_ir::{Aval, DType, Program};
use rjax_kernel::kir::Module;
use rjax_kernel::{Origin, origins};
use rjax_rewrite::{Options as Rewrite, Report, simplify_priced};
use rjax_runtime::timed;

use crate::Result;
use crate::args::{Show, Source};
use crate::transform::Transform;

/// The program as the compiler sees it before it fuses, and what was done to it. A `--simplify=TIER` among the
/// transformations says how far that may go; the last one counts.
pub fn simplified(source: &Source, program: &Program) -> Result<(Program, Report)> {
    if source.no_simplify {
        let cost = rjax_rewrite::cost(program);
        return Ok((program.clone(), Report { before: cost, after: cost, ..Report::default() }));
    }
    let mut tiers = source.transforms.0.iter().filter_map(Transform::tier);
    let options = Rewrite { tier: tiers.next_back().unwrap_or_default(), ..Rewrite::default() };
    // What only exists between devices has no plan here, and one price.
    let price = |form: &Program| {
        rjax_kernel::plan(form, &rjax_kernel::Options::default()).map_or(u64::MAX, |module| module.nanoseconds())
    };
    timed("simplify", || simplify_priced(program, &options, price)).map_err(|e| e.to_string())
}

/// The settings of fusion and memory planning where the inputs in `donate` are given up.
pub fn planning(program: &Program, donate: &[usize]) -> Result<rjax_kernel::Options> {
    let count = program.invars.len();
    if let Some(input) = donate.iter().find(|&&input| input >= count) {
        return Err(format!("--donate: there is no input {input}; the program has {count}"));
    }
    // The bytes of a bool are not free to hold anything else.
    let is_free = |(input, aval): (usize, Aval)| donate.contains(&input) && aval.dtype != DType::Bool;
    let donate = program.in_avals().into_iter().enumerate().map(is_free).collect();
    Ok(rjax_kernel::Options { donate, ..rjax_kernel::Options::default() })
}

/// The simplified program's kernels and schedule.
pub fn module(source: &Source, program: &Program, donate: &[usize]) -> Result<Module> {
    let (program, _) = simplified(source, program)?;
    let options = planning(&program, donate)?;
    timed("plan", || rjax_kernel::plan(&program, &options)).map_err(|e| e.to_string())
}

/// The same, with what each of its steps computes.
pub fn observed(source: &Source, program: &Program, donate: &[usize]) -> Result<(Module, Vec<Origin>)> {
    let (program, _) = simplified(source, program)?;
    let options = planning(&program, donate)?;
    let both = rjax_kernel::plan(&program, &options).and_then(|module| Ok((module, origins(&program, &options)?)));
    both.map_err(|e| e.to_string())
}

/// The simplified program's groups of ops that are computed together.
pub fn nests(source: &Source, program: &Program) -> Result<String> {
    let (program, _) = simplified(source, program)?;
    rjax_kernel::nests(&program, &planning(&program, &[])?).map_err(|e| e.to_string())
}

/// The Cranelift IR of its functions.
pub fn clif(source: &Source, program: &Program) -> Result<String> {
    clif_text(&module(source, program, &[])?).map_err(|e| e.to_string())
}

/// The machine code of its functions.
pub fn asm(source: &Source, program: &Program) -> Result<String> {
    asm_text(&module(source, program, &[])?).map_err(|e| e.to_string())
}

/// Flops and bytes as given and as simplified, and how many kernels and routines are launched, as JSON.
pub fn cost(source: &Source, program: &Program) -> Result<String> {
    let (_, Report { before, after, .. }) = simplified(source, program)?;
    let kernels = module(source, program, &[])?.launches();
    let part = |cost: rjax_rewrite::Cost| format!("{{\"flops\":{},\"bytes\":{}}}", cost.flops, cost.bytes);
    Ok(format!("{{\"before\":{},\"after\":{},\"kernels\":{kernels}}}\n", part(before), part(after)))
}

/// The program as a StableHLO module.
pub fn stablehlo(program: &Program, options: &rjax_codegen_tpu::Options) -> Result<rjax_stablehlo::mlir::Module> {
    rjax_codegen_tpu::export(program, options).map_err(|e| e.to_string())
}

/// What the command line says of the devices that a program is written for.
pub fn export_options(show: &Show) -> rjax_codegen_tpu::Options {
    rjax_codegen_tpu::Options { mesh: show.mesh.clone(), shardings: show.shard.clone(), ..Default::default() }
}
