//! Batching: a program over one example becomes a program over a batch of them.
//!
//! Every value of the new program is either shared by all lanes or carries one more axis than before, anywhere in its
//! shape. Values stay shared until an op mixes them with batched ones, and a batch axis stays where it is until operands
//! disagree. Each op has one rule, written per family in the files beside this one.
//!
//! ```
//! use rjax_autodiff::{BatchAxis, vmap};
//! use rjax_ir::{Aval, Builder, DType};
//! let mut b = Builder::new();
//! let (x, w) = (b.input(Aval::new(DType::F32, [3])), b.input(Aval::new(DType::F32, [3, 4])));
//! let y = b.dot_general(x, w, (&[0], &[0]), (&[], &[]), DType::F32);
//! let program = b.finish(vec![y]);
//! let batched = vmap(&program, &BatchAxis::new(8), &[Some(0), None], &[Some(0)]).unwrap();
//! assert_eq!(batched.out_avals(), [Aval::new(DType::F32, [8, 4])]);
//! ```

mod call;
mod collective;
mod cond;
mod conv;
mod custom_jvp;
mod custom_linear;
mod custom_vjp;
mod dot_general;
mod dynamic_slice;
mod elementwise;
mod gather;
mod lanes;
mod library;
mod linear_solve;
mod reduce;
mod reduce_window;
mod root;
mod scan;
mod scatter;
mod shape;
mod while_loop;

use std::collections::HashMap;
use std::sync::Arc;

use lanes::{Place, Value};
use rjax_ir::{Atom, Builder, Collective, Op, Program, Result, Var, ensure};

/// The axis that batching adds: its extent, and the name by which collectives refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchAxis {
    /// The number of lanes.
    pub size: usize,
    /// The name that `psum`, `axis_index` and the like may use.
    pub name: Option<Arc<str>>,
}

impl BatchAxis {
    /// An axis without a name.
    pub fn new(size: usize) -> BatchAxis {
        BatchAxis { size, name: None }
    }

    /// An axis that collectives can name.
    pub fn named(size: usize, name: impl Into<Arc<str>>) -> BatchAxis {
        BatchAxis { size, name: Some(name.into()) }
    }
}

/// Batches a program: input `i` gets the batch axis at `in_axes[i]` of its new shape (`None`: shared by all lanes), output
/// `j` has it at `out_axes[j]` of its new shape (`None`: the output must not depend on the lane).
pub fn vmap(
    program: &Program,
    axis: &BatchAxis,
    in_axes: &[Option<usize>],
    out_axes: &[Option<usize>],
) -> Result<Program> {
    check_axes("in_axes", "input", in_axes, program, &program.invars)?;
    check_axes("out_axes", "output", out_axes, program, &program.outvars)?;
    let mut shared = Shared::new(axis);
    let (mut batcher, outputs) = batch_program(program, in_axes, &mut shared);
    let mut atoms = Vec::with_capacity(outputs.len());
    for (i, (value, &out)) in outputs.into_iter().zip(out_axes).enumerate() {
        ensure!(
            out.is_some() || value.axis.is_none(),
            Structure,
            "vmap: out_axes: output {i} differs from lane to lane, so its axis cannot be None"
        );
        atoms.push(out.map_or(value.atom, |out| batcher.at_axis(value, out)));
    }
    Ok(batcher.b.finish(atoms))
}

/// Batches a program and leaves each output's batch axis where it ended up: `None` for outputs that all lanes share.
pub fn batch(program: &Program, axis: &BatchAxis, in_axes: &[Option<usize>]) -> Result<(Program, Vec<Option<usize>>)> {
    check_axes("in_axes", "input", in_axes, program, &program.invars)?;
    let mut shared = Shared::new(axis);
    let (batcher, outputs) = batch_program(program, in_axes, &mut shared);
    let axes = outputs.iter().map(|value| value.axis).collect();
    Ok((batcher.b.finish(outputs.iter().map(|value| value.atom).collect()), axes))
}

fn check_axes<T: Copy + Into<Atom>>(
    argument: &str,
    what: &str,
    axes: &[Option<usize>],
    program: &Program,
    values: &[T],
) -> Result<()> {
    ensure!(
        axes.len() == values.len(),
        Structure,
        "vmap: {argument}: found {} entries for {} {what}s",
        axes.len(),
        values.len()
    );
    for (i, (&axis, &value)) in axes.iter().zip(values).enumerate() {
        let (Some(axis), aval) = (axis, program.aval(value)) else { continue };
        ensure!(
            axis <= aval.rank(),
            Parameter,
            "vmap: {argument}: axis {axis} of {what} {i} is out of range: with the batch axis {aval} has rank {}",
            aval.rank() + 1
        );
    }
    Ok(())
}

/// What all programs inside the one being batched have in common.
struct Shared {
    size: usize,
    name: Option<Arc<str>>,
    /// Programs inside ops that were batched already, by address, input axes and places of the outputs: a loop body is
    /// visited until its carry settles, and without memory nested loops would multiply the visits.
    batched: HashMap<(*const Program, Vec<Option<usize>>, Vec<Place>), (Arc<Program>, Vec<Option<usize>>)>,
    /// Whether the program at this address has a collective over the axis being batched.
    names_axis: HashMap<*const Program, bool>,
}

impl Shared {
    fn new(axis: &BatchAxis) -> Shared {
        Shared { size: axis.size, name: axis.name.clone(), batched: HashMap::new(), names_axis: HashMap::new() }
    }

    /// Batches a program inside an op, with its outputs in the given places, and says where their batch axes are.
    fn batch(
        &mut self,
        program: &Arc<Program>,
        in_axes: &[Option<usize>],
        places: &[Place],
    ) -> (Arc<Program>, Vec<Option<usize>>) {
        let key = (Arc::as_ptr(program), in_axes.to_vec(), places.to_vec());
        if let Some(found) = self.batched.get(&key) {
            return found.clone();
        }
        let (mut batcher, outputs) = batch_program(program, in_axes, self);
        let outputs: Vec<Value> =
            outputs.into_iter().zip(places).map(|(value, &place)| batcher.put(value, place)).collect();
        let axes: Vec<_> = outputs.iter().map(|value| value.axis).collect();
        let batched = Arc::new(batcher.b.finish(outputs.iter().map(|value| value.atom).collect()));
        self.batched.insert(key, (batched.clone(), axes.clone()));
        (batched, axes)
    }

    /// Where the outputs' batch axes are if they may be anywhere.
    fn out_axes(&mut self, program: &Arc<Program>, in_axes: &[Option<usize>]) -> Vec<Option<usize>> {
        self.batch(program, in_axes, &vec![Place::Anywhere; program.outvars.len()]).1
    }

    /// Whether the op, or an op inside it, is a collective over the axis being batched.
    fn names_axis(&mut self, op: &Op) -> bool {
        let Some(name) = self.name.clone() else { return false };
        if let Op::Collective(collective) = op {
            return match collective {
                Collective::Psum { axes } | Collective::Pmax { axes } | Collective::Pmin { axes } => {
                    axes.contains(&name)
                }
                Collective::AxisIndex { axis } => *axis == name,
            };
        }
        op.subprograms().into_iter().any(|program| {
            let key = Arc::as_ptr(program);
            if let Some(&known) = self.names_axis.get(&key) {
                return known;
            }
            let found = program.eqns.iter().any(|eqn| self.names_axis(&eqn.op));
            self.names_axis.insert(key, found);
            found
        })
    }
}

/// A batched program under construction.
struct Batcher<'s> {
    b: Builder,
    shared: &'s mut Shared,
}

/// Batches every equation. Nothing is recursive but programs inside ops.
fn batch_program<'s>(
    program: &Program,
    in_axes: &[Option<usize>],
    shared: &'s mut Shared,
) -> (Batcher<'s>, Vec<Value>) {
    let mut batcher = Batcher { b: Builder::new(), shared };
    let mut values: Vec<Option<Value>> = vec![None; program.avals.len()];
    let lookup = |values: &[Option<Value>], atom: Atom| match atom {
        Atom::Var(v) => values[v.index()].expect("verified: definitions come before uses"),
        Atom::Lit(_) => Value { atom, axis: None },
    };
    for (&v, &axis) in program.invars.iter().zip(in_axes) {
        let mut aval = program.aval(v);
        if let Some(axis) = axis {
            aval.shape = aval.shape.with_axis(axis, batcher.shared.size);
        }
        values[v.index()] = Some(Value { atom: batcher.b.input(aval), axis });
    }
    for (v, tensor) in &program.consts {
        values[v.index()] = Some(Value { atom: batcher.b.constant(tensor.clone()), axis: None });
    }
    for eqn in &program.eqns {
        batcher.b.location = eqn.location.clone();
        let inputs: Vec<Value> = eqn.inputs.iter().map(|&x| lookup(&values, x)).collect();
        let outputs = batcher.batch_op(&eqn.op, &inputs);
        for (&v, output) in eqn.outputs.iter().zip(outputs) {
            debug_assert!(batcher.is_batched_form(output, program, v), "{}: wrong result {output:?}", eqn.op.name());
            values[v.index()] = Some(output);
        }
    }
    let outputs = program.outvars.iter().map(|&x| lookup(&values, x)).collect();
    (batcher, outputs)
}

impl Batcher<'_> {
    /// Whether a value has the type of `v`, with the batch axis where the value says.
    fn is_batched_form(&self, value: Value, program: &Program, v: Var) -> bool {
        let mut aval = program.aval(v);
        if let Some(axis) = value.axis {
            aval.shape = aval.shape.with_axis(axis, self.shared.size);
        }
        self.b.aval(value.atom) == aval
    }

    fn batch_op(&mut self, op: &Op, inputs: &[Value]) -> Vec<Value> {
        if inputs.iter().all(|x| x.axis.is_none()) && !self.shared.names_axis(op) {
            let atoms: Vec<Atom> = inputs.iter().map(|x| x.atom).collect();
            return self.b.emit(op.clone(), &atoms).into_iter().map(|atom| Value { atom, axis: None }).collect();
        }
        match op {
            Op::Unary(_)
            | Op::Binary(_)
            | Op::Compare(_)
            | Op::RegularizedIncompleteBeta
            | Op::Convert { .. }
            | Op::ReducePrecision { .. }
            | Op::IntegerPow { .. }
            | Op::StopGradient
            | Op::Name { .. }
            | Op::Threefry2x32 => self.elementwise(op, inputs),
            Op::Select => self.select(inputs),
            Op::Clamp => self.clamp(inputs),
            Op::Bitcast { dtype } => self.bitcast(*dtype, inputs),
            Op::OptimizationBarrier => self.optimization_barrier(inputs),
            Op::BroadcastInDim { shape, dims } => self.broadcast_in_dim(shape, dims, inputs),
            Op::Reshape { shape } => self.reshape(shape, inputs),
            Op::Transpose { permutation } => self.transpose(permutation, inputs),
            Op::Slice(slice) => self.slice(slice, inputs),
            Op::Pad { padding } => self.pad(padding, inputs),
            Op::Concatenate { axis } => self.concatenate(*axis, inputs),
            Op::Reverse { axes } => self.reverse(axes, inputs),
            Op::Iota { .. } => unreachable!("iota has no operands that could be batched"),
            Op::DynamicSlice { sizes } => self.dynamic_slice(sizes, inputs),
            Op::DynamicUpdateSlice => self.dynamic_update_slice(inputs),
            Op::Gather(gather) => self.gather(gather, inputs),
            Op::Scatter(scatter) => self.scatter(scatter, inputs),
            Op::Reduce { reducer, axes } => self.reduce(*reducer, axes, inputs),
            Op::GeneralReduce { body, axes } => self.general_reduce(body, axes, inputs),
            Op::ArgReduce(arg) => self.arg_reduce(arg, inputs),
            Op::Cumulative(cumulative) => self.cumulative(cumulative, inputs),
            Op::DotGeneral(dot) => self.dot_general(dot, inputs),
            Op::Conv(conv) => self.conv(conv, inputs),
            Op::ReduceWindow { reducer, window } => self.reduce_window(*reducer, window, inputs),
            Op::GeneralReduceWindow { body, window } => self.general_reduce_window(body, window, inputs),
            Op::SelectAndScatterAdd(select) => self.select_and_scatter_add(select, inputs),
            Op::SelectAndGatherAdd(select) => self.select_and_gather_add(select, inputs),
            Op::Sort(sort) => self.sort(sort, inputs),
            Op::TopK { k } => self.top_k(*k, inputs),
            Op::Linalg(_) | Op::Fft(_) => self.library(op, inputs),
            Op::Cond { branches } => self.cond(branches, inputs),
            Op::While(while_loop) => self.while_loop(while_loop, inputs),
            Op::Scan(scan) => self.scan(scan, inputs),
            Op::Call { name, program } => self.call(name, program, inputs),
            Op::CustomJvp(custom) => self.custom_jvp(custom, inputs),
            Op::CustomVjp(custom) => self.custom_vjp(custom, inputs),
            Op::CustomLinear(linear) => self.custom_linear(linear, inputs),
            Op::LinearSolve(solve) => self.linear_solve(solve, inputs),
            Op::Root(root) => self.root(root, inputs),
            Op::Remat(remat) => self.remat(remat, inputs),
            Op::DebugPrint(_) => self.one_lane_at_a_time(op, inputs),
            Op::Collective(collective) => self.collective(collective, inputs),
        }
    }
}
