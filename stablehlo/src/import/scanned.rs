//! Arrays that a counted loop reads or writes one row a step, as scanned and stacked ones.
//!
//! `jax.export` writes a `scan` as a loop that takes row `i` of each scanned array with `dynamic_slice`, and puts a row into each stacked
//! result with `dynamic_update_slice`; in reverse, row `n - 1 - i`. Found again, rows need no clamped positions, no array is carried
//! from step to step, and derivatives do not keep a copy of it for each.

use std::collections::{HashMap, HashSet};

use rjax_ir::{Atom, Binary, Compare, Eqn, Op, Program, Scalar, Scan, Var};

/// A result of the loop before it was changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Carried {
    /// What the scan returns at this position.
    Result(usize),
    /// A number.
    Literal(Scalar),
}

/// What the loop has become.
pub(super) struct Scanned {
    pub scan: Scan,
    pub body: Program,
    pub operands: Vec<Atom>,
    /// For each value that was carried.
    pub carried: Vec<Carried>,
}

/// Calls inside of calls that are looked into.
const DEPTH: usize = 4;

/// `sign * step + offset`, where the step counts from zero.
type Affine = (i64, i64);

/// Changes a loop of `scan.length` steps that carries all its arrays; `counter` is the position of the step's number, which begins with
/// zero, among the carried values.
pub(super) fn find_scanned(mut scan: Scan, mut body: Program, mut operands: Vec<Atom>, counter: usize) -> Scanned {
    let step = body.invars[scan.num_consts + counter];
    for _ in 0..DEPTH {
        if !inline_calls(&mut body, step) {
            break;
        }
    }
    let affine = affine_values(&body, step);
    let last = scan.length as i64 - 1;
    let uses = count_uses(&body);
    // The rows that are written decide the direction; where none are, those that are read.
    let row_of = |eqn: &Eqn, first: usize| -> Option<bool> {
        let at = eqn.inputs.get(first)?;
        let rest = eqn.inputs[first + 1..].iter();
        let on_row = rest.clone().all(|x| x.literal().is_some_and(|x| x.to_f64() == 0.0));
        let whole = body.aval(eqn.inputs[0]).shape.first() == Some(&scan.length);
        match affine.get(&at.var()?) {
            Some((1, 0)) if on_row && whole => Some(false),
            Some(&(-1, offset)) if on_row && whole && offset == last => Some(true),
            Some(_) | None => None,
        }
    };
    let is_row = |x: Atom, row: &[usize]| {
        let aval = body.aval(x);
        row.first() == Some(&1) && row[1..] == aval.shape[1..]
    };
    let num_carry = scan.num_carry;
    let carries = &body.invars[scan.num_consts..];
    let mut written: Vec<(usize, usize, bool)> = Vec::new();
    let mut read: Vec<(usize, Var, bool)> = Vec::new();
    for (number, eqn) in body.eqns.iter().enumerate() {
        let Some(&Atom::Var(array)) = eqn.inputs.first() else { continue };
        if let Op::DynamicSlice { sizes } = &eqn.op {
            let is_const = body.invars[..scan.num_consts].contains(&array);
            if let (true, Some(reverse)) = (is_const && is_row(eqn.inputs[0], sizes), row_of(eqn, 1)) {
                read.push((number, array, reverse));
            }
        }
        if let Op::DynamicUpdateSlice = &eqn.op {
            let Some(position) = carries.iter().position(|&v| v == array) else { continue };
            let result = eqn.outputs[0];
            let only = uses.get(&array) == Some(&1) && uses.get(&result) == Some(&1);
            let returned = body.outvars[position] == Atom::Var(result);
            let row = body.aval(eqn.inputs[1]).shape;
            if let (true, Some(reverse)) = (only && returned && is_row(eqn.inputs[0], &row), row_of(eqn, 2)) {
                written.push((number, position, reverse));
            }
        }
    }
    let directions = || written.iter().map(|w| w.2).chain(read.iter().map(|r| r.2));
    scan.reverse = directions().next().unwrap_or(false);
    written.retain(|w| w.2 == scan.reverse);
    read.retain(|r| r.2 == scan.reverse);

    let fresh = |body: &mut Program, of: Var| {
        let aval = body.aval(of);
        body.avals.push(aval.with_shape(aval.shape.without(&[0])));
        Var((body.avals.len() - 1) as u32)
    };
    // A row comes in without its axis and gets it back; a row that was written loses it.
    let mut xs: Vec<(Var, Var)> = Vec::new();
    for &(number, array, _) in &read {
        let row = match xs.iter().find(|(of, _)| *of == array) {
            Some(&(_, row)) => row,
            None => {
                let row = fresh(&mut body, array);
                xs.push((array, row));
                row
            }
        };
        let shape = body.aval(body.eqns[number].outputs[0]).shape;
        (body.eqns[number].op, body.eqns[number].inputs) = (Op::Reshape { shape }, vec![row.into()]);
    }
    let mut ys: Vec<Atom> = Vec::new();
    for &(number, _, _) in &written {
        let result = body.eqns[number].outputs[0];
        let row = fresh(&mut body, result);
        let shape = body.aval(row).shape;
        let eqn = &mut body.eqns[number];
        (eqn.op, eqn.inputs, eqn.outputs) = (Op::Reshape { shape }, vec![eqn.inputs[1]], vec![row]);
        ys.push(row.into());
    }

    let mut kept: Vec<usize> = (0..num_carry).filter(|i| !written.iter().any(|w| w.1 == *i)).collect();
    if !needs_step(&body, &kept, step, scan.num_consts, counter, &ys) {
        kept.retain(|&i| i != counter);
    }
    let carried = (0..num_carry).map(|i| {
        if let Some(position) = kept.iter().position(|&k| k == i) {
            return Carried::Result(position);
        }
        match written.iter().position(|w| w.1 == i) {
            Some(position) => Carried::Result(kept.len() + position),
            None => Carried::Literal(Scalar::from_i64(body.aval(step).dtype, scan.length as i64)),
        }
    });
    let carried: Vec<Carried> = carried.collect();
    body.outvars = kept.iter().map(|&i| body.outvars[i]).chain(ys).collect();
    let (consts, carries) = (body.invars[..scan.num_consts].to_vec(), body.invars[scan.num_consts..].to_vec());
    let still_used: HashSet<Var> =
        body.eqns.iter().flat_map(|eqn| &eqn.inputs).chain(&body.outvars).filter_map(|a| a.var()).collect();
    let fixed: Vec<usize> = (0..consts.len())
        .filter(|&i| still_used.contains(&consts[i]) || !xs.iter().any(|(array, _)| *array == consts[i]))
        .collect();
    let operand_of = |array: Var| operands[consts.iter().position(|&v| v == array).expect("read from the constants")];
    let inputs: Vec<Atom> = fixed
        .iter()
        .map(|&i| operands[i])
        .chain(kept.iter().map(|&i| operands[scan.num_consts + i]))
        .chain(xs.iter().map(|&(array, _)| operand_of(array)))
        .collect();
    body.invars = fixed.iter().map(|&i| consts[i]).chain(kept.iter().map(|&i| carries[i])).collect();
    body.invars.extend(xs.iter().map(|&(_, row)| row));
    operands = inputs;
    (scan.num_consts, scan.num_carry) = (fixed.len(), kept.len());
    Scanned { scan, body: body.dce(), operands, carried }
}

/// Whether anything but the next step's number depends on the step's number.
fn needs_step(body: &Program, kept: &[usize], step: Var, consts: usize, counter: usize, ys: &[Atom]) -> bool {
    debug_assert_eq!(body.invars[consts + counter], step);
    let others = kept.iter().filter(|&&i| i != counter).map(|&i| body.outvars[i]);
    let without = Program { outvars: others.chain(ys.iter().copied()).collect(), ..body.clone() }.dce();
    let step = without.invars[consts + counter];
    without.eqns.iter().flat_map(|eqn| &eqn.inputs).chain(&without.outvars).any(|&atom| atom == Atom::Var(step))
}

fn count_uses(body: &Program) -> HashMap<Var, usize> {
    let mut uses = HashMap::new();
    for var in body.eqns.iter().flat_map(|eqn| &eqn.inputs).chain(&body.outvars).filter_map(|a| a.var()) {
        *uses.entry(var).or_insert(0) += 1;
    }
    uses
}

/// Values that are the step's number, or its negation, plus a constant. What JAX writes for indices that may be negative counts as
/// what it is for those that are not.
fn affine_values(body: &Program, step: Var) -> HashMap<Var, Affine> {
    let mut known: HashMap<Var, Affine> = HashMap::from([(step, (1, 0))]);
    let mut negative: HashMap<Var, Affine> = HashMap::new();
    for eqn in &body.eqns {
        let of = |x: &Atom| match x {
            Atom::Var(v) => known.get(v).copied(),
            Atom::Lit(_) => None,
        };
        let number = |x: &Atom| x.literal().filter(|x| x.dtype().is_integer()).map(|x| x.to_f64() as i64);
        let mut value = None;
        if let [x, y] = &eqn.inputs[..] {
            if eqn.op == Op::Binary(Binary::Add) {
                value = match (of(x), number(y), number(x), of(y)) {
                    (Some((sign, offset)), Some(n), _, _) | (_, _, Some(n), Some((sign, offset))) => {
                        offset.checked_add(n).map(|offset| (sign, offset))
                    }
                    (Some(_) | None, _, _, _) => None,
                };
            }
            if eqn.op == Op::Binary(Binary::Sub) {
                value = match (of(x), number(y), number(x), of(y)) {
                    (Some((sign, offset)), Some(n), _, _) => offset.checked_sub(n).map(|offset| (sign, offset)),
                    (_, _, Some(n), Some((sign, offset))) => n.checked_sub(offset).map(|offset| (-sign, offset)),
                    (Some(_) | None, _, _, _) => None,
                };
            }
            if eqn.op == Op::Compare(Compare::Lt)
                && number(y) == Some(0)
                && let Some(value) = of(x)
            {
                negative.insert(eqn.outputs[0], value);
            }
        }
        // select_n(x < 0, x, x + n), for an x that is an index or the like.
        if let (Op::Select, [Atom::Var(which), x, _]) = (&eqn.op, &eqn.inputs[..]) {
            value = of(x).filter(|value| negative.get(which) == Some(value));
        }
        if let Some(value) = value {
            known.insert(eqn.outputs[0], value);
        }
    }
    known
}

/// Writes out calls that take the step's number or a value made of it; says whether there were any.
fn inline_calls(body: &mut Program, step: Var) -> bool {
    let affine = affine_values(body, step);
    let takes_step = |eqn: &Eqn| eqn.inputs.iter().any(|x| x.var().is_some_and(|v| affine.contains_key(&v)));
    let mut replaced: HashMap<Var, Atom> = HashMap::new();
    let mut any = false;
    for mut eqn in std::mem::take(&mut body.eqns) {
        eqn.inputs.iter_mut().for_each(|x| *x = resolved(&replaced, *x));
        let Op::Call { program, .. } = &eqn.op else {
            body.eqns.push(eqn);
            continue;
        };
        if !takes_step(&eqn) || !program.consts.is_empty() {
            body.eqns.push(eqn);
            continue;
        }
        any = true;
        let mut inner: HashMap<Var, Atom> = program.invars.iter().copied().zip(eqn.inputs.iter().copied()).collect();
        for equation in &program.eqns {
            let mut copy = equation.clone();
            copy.inputs.iter_mut().for_each(|x| *x = resolved(&inner, *x));
            for output in &mut copy.outputs {
                body.avals.push(program.avals[output.index()].clone());
                let fresh = Var((body.avals.len() - 1) as u32);
                inner.insert(*output, fresh.into());
                *output = fresh;
            }
            body.eqns.push(copy);
        }
        replaced.extend(eqn.outputs.iter().copied().zip(program.outvars.iter().map(|&x| resolved(&inner, x))));
    }
    body.outvars.iter_mut().for_each(|x| *x = resolved(&replaced, *x));
    any
}

fn resolved(names: &HashMap<Var, Atom>, x: Atom) -> Atom {
    x.var().and_then(|v| names.get(&v).copied()).unwrap_or(x)
}
