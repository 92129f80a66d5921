//! The support matrix: what works on each op, found by trying it on the op's example.

use std::fmt::Write;

use rjax_autodiff::{BatchAxis, jvp, vjp_program, vmap};
use rjax_codegen_cpu::{Options as Compiling, compile};
use rjax_ir::{Atom, DType, Interpreter, Op, Program, Scalar, Tensor, text};

use crate::Result;

const LEGEND: &str = "\
# Ops

Every op of rjax and what can be done with it. `rjax-opt ops` makes this page by trying each op's example program.

- **dtypes**: what the op takes; the other columns hold for all of them, the derivatives for the inexact ones.
- **eval**: the reference interpreter runs it. **cpu**: it compiles to machine code and runs.
- **jvp**, **vjp**: forward and reverse derivatives. `zero`: the derivative is zero everywhere, or there is nothing to differentiate.
- **vmap**: it can be batched.
- A number refers to a reason below the table.

";

/// The support matrix as a page of Markdown.
pub fn matrix() -> String {
    let mut page = LEGEND.to_string();
    page.push_str("| op | what it computes | dtypes | eval | jvp | vjp | vmap | cpu |\n");
    page.push_str("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    let mut reasons: Vec<String> = vec![];
    for name in text::names() {
        let examples: Vec<(DType, Program)> =
            DType::ALL.iter().filter_map(|&dtype| Some((dtype, text::example(name, dtype)?))).collect();
        let dtypes: Vec<DType> = examples.iter().map(|(dtype, _)| *dtype).collect();
        let programs: Vec<&Program> = examples.iter().map(|(_, program)| program).collect();
        let cells = [
            cell(programs.iter().map(|program| evaluates(program))),
            cell(programs.iter().map(|program| differentiates(program, jvp))),
            cell(programs.iter().map(|program| differentiates(program, vjp_program))),
            cell(programs.iter().map(|program| batch(program).map(|_| Support::Yes))),
            cell(programs.iter().map(|program| compiles(program))),
        ];
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.unwrap_or_else(|e| note(&mut reasons, e))).collect();
        let doc = text::doc(name).replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {doc} | {} | {} |", groups(&dtypes), cells.join(" | "));
    }
    for (number, reason) in reasons.iter().enumerate() {
        let _ = write!(page, "\n{}. {reason}", number + 1);
    }
    page.push('\n');
    page
}

/// How an op took part in something that can be done with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Support {
    Zero,
    Yes,
}

/// What a cell says of all dtypes: the best of them, or the first reason why one is not possible.
fn cell(tried: impl Iterator<Item = Result<Support>>) -> Result<String> {
    let all = tried.collect::<Result<Vec<Support>>>()?;
    Ok(match all.iter().max() {
        Some(Support::Yes) => "yes",
        Some(Support::Zero) | None => "zero",
    }
    .to_string())
}

/// The number of a reason in the list below the table.
fn note(reasons: &mut Vec<String>, message: String) -> String {
    // The lines after the first say where in the example.
    let reason = message.lines().next().unwrap_or_default().to_string();
    let place = reasons.iter().position(|other| *other == reason).unwrap_or_else(|| {
        reasons.push(reason);
        reasons.len() - 1
    });
    format!("no ({})", place + 1)
}

/// The dtypes by kind: `int` for all integers, or those that are there.
fn groups(dtypes: &[DType]) -> String {
    const GROUPS: [(&str, fn(&DType) -> bool); 4] = [
        ("bool", |dtype| *dtype == DType::Bool),
        ("int", |dtype| dtype.is_integer()),
        ("float", |dtype| dtype.is_float()),
        ("complex", |dtype| dtype.is_complex()),
    ];
    let mut parts: Vec<String> = vec![];
    for (name, belongs) in GROUPS {
        let whole: Vec<&DType> = DType::ALL.iter().filter(|dtype| belongs(dtype)).collect();
        let found: Vec<&DType> = dtypes.iter().filter(|dtype| belongs(dtype)).collect();
        match found == whole {
            true => parts.push(name.to_string()),
            false => parts.extend(found.iter().map(|dtype| dtype.to_string())),
        }
    }
    parts.join(" ")
}

/// The program with a batch axis `i` in front of every operand.
fn batch(program: &Program) -> Result<Program> {
    let axis = BatchAxis { size: 2, name: Some("i".into()) };
    let inputs = vec![Some(0); program.invars.len()];
    vmap(program, &axis, &inputs, &vec![Some(0); program.outvars.len()]).map_err(|e| e.to_string())
}

/// The program as it can run: collectives need the axis that they communicate along.
fn bound(program: &Program) -> Result<Program> {
    let is_collective = program.eqns.iter().any(|eqn| matches!(eqn.op, Op::Collective(_)));
    if is_collective { batch(program) } else { Ok(program.clone()) }
}

fn zeros(program: &Program) -> Vec<Tensor> {
    program.in_avals().iter().map(Tensor::zeros).collect()
}

fn evaluates(program: &Program) -> Result<Support> {
    let program = bound(program)?;
    Interpreter::new(&mut |_| ()).eval(&program, &zeros(&program)).map_err(|e| e.to_string())?;
    Ok(Support::Yes)
}

fn compiles(program: &Program) -> Result<Support> {
    let program = bound(program)?;
    let module = rjax_kernel::plan(&program, &rjax_kernel::Options::default()).map_err(|e| e.to_string())?;
    let executable = compile(&module, &Compiling { threads: 1 }).map_err(|e| e.to_string())?;
    rjax_codegen_cpu::capture_prints(|| executable.call(&zeros(&program))).0.map_err(|e| e.to_string())?;
    Ok(Support::Yes)
}

/// Whether some derivative of the program is not just zeros.
fn differentiates(program: &Program, transform: fn(&Program) -> rjax_ir::Result<Program>) -> Result<Support> {
    let derived = transform(program).map_err(|e| e.to_string())?;
    let derivatives = &derived.outvars[program.outvars.len()..];
    let is_zero = |atom: &Atom| {
        let defined_by = derived.eqns.iter().find(|eqn| eqn.outputs.iter().any(|&var| Atom::Var(var) == *atom));
        let value = match defined_by {
            Some(eqn) if matches!(eqn.op, Op::BroadcastInDim { .. }) => &eqn.inputs[0],
            Some(_) | None => atom,
        };
        matches!(*value, Atom::Lit(scalar) if scalar == Scalar::zero(scalar.dtype()))
    };
    Ok(if derivatives.iter().all(is_zero) { Support::Zero } else { Support::Yes })
}
