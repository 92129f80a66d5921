//! Control flow. Loops that count up to a constant become scans, so that they can be differentiated in reverse.

use std::sync::Arc;

use rjax_ir::{Atom, Aval, Binary, Compare, DType, Op, Program, Result, Scalar, Scan, Shape, Var, While};

use super::scanned::{Carried, find_scanned};
use super::{Body, Capture, Importer, malformed};
use crate::mlir::Operation;

impl Importer<'_> {
    pub(super) fn while_loop(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let [cond, body] = &operation.regions[..] else {
            return Err(malformed(operation, format!("expected two regions, found {}", operation.regions.len())));
        };
        let cond = self.region(cond)?;
        let body = self.region(body)?;
        let carry = self.values(&operation.operands)?;
        let expected: Vec<_> = carry.iter().map(|&x| self.aval(x)).collect();
        for (name, region) in [("condition", &cond), ("body", &body)] {
            let arguments = region.program.in_avals().split_off(region.captures.len());
            if arguments != expected {
                return Err(malformed(operation, format!("the {name} takes other arguments than the operands")));
            }
        }
        if body.program.out_avals() != expected {
            return Err(malformed(operation, "the body returns other values than it takes".into()));
        }
        if let Some(outputs) = self.counted_loop(&cond, &body, &carry)? {
            return Ok(outputs);
        }
        let (cond_nconsts, body_nconsts) = (cond.captures.len(), body.captures.len());
        let mut inputs = self.resolve(&cond.captures)?;
        inputs.extend(self.resolve(&body.captures)?);
        inputs.extend(carry);
        let op = Op::While(While {
            cond: Arc::new(cond.program.dce()),
            body: Arc::new(body.program.dce()),
            cond_nconsts,
            body_nconsts,
        });
        self.builder().try_emit(op, &inputs)
    }

    /// A loop whose condition is `i < n` for a carried integer `i` that starts at a literal, grows by one in each step, and a literal
    /// `n`, runs a known number of times: it is a scan without xs. Carried values that the body returns unchanged become constants.
    fn counted_loop(&mut self, cond: &Body, body: &Body, carry: &[Atom]) -> Result<Option<Vec<Atom>>> {
        let Some((counter, limit)) = counter_and_limit(&cond.program, cond.captures.len()) else { return Ok(None) };
        let limit = match limit {
            Limit::Literal(n) => Some(n),
            Limit::Capture(position) => match self.resolve(&cond.captures[position..=position])?[0] {
                Atom::Lit(n) => Some(n),
                Atom::Var(_) => None,
            },
            Limit::Carry(position) => {
                let unchanged =
                    body.program.outvars[position] == Atom::Var(body.program.invars[body.captures.len() + position]);
                carry[position].literal().filter(|_| unchanged)
            }
        };
        let (Some(limit), Some(start)) = (limit, carry[counter].literal()) else { return Ok(None) };
        if !grows_by_one(&body.program, body.captures.len(), counter) {
            return Ok(None);
        }
        let length = (limit.to_f64() - start.to_f64()).max(0.0) as usize;
        let mut program = body.program.dce();
        let consts = body.captures.len();
        let carried: Vec<Var> = program.invars.split_off(consts);
        let unchanged: Vec<bool> = carried.iter().zip(&program.outvars).map(|(&v, &out)| out == Atom::Var(v)).collect();
        let mut inputs = self.resolve(&body.captures)?;
        let pick = |keep: bool| (0..carried.len()).filter(move |&i| unchanged[i] == keep).collect::<Vec<_>>();
        let (fixed, moving) = (pick.clone()(true), pick(false));
        program.invars.extend(fixed.iter().map(|&i| carried[i]));
        program.invars.extend(moving.iter().map(|&i| carried[i]));
        program.outvars = moving.iter().map(|&i| program.outvars[i]).collect();
        inputs.extend(fixed.iter().map(|&i| carry[i]));
        inputs.extend(moving.iter().map(|&i| carry[i]));
        let mut scan = Scan {
            body: Arc::new(Program::default()),
            length,
            reverse: false,
            num_consts: consts + fixed.len(),
            num_carry: moving.len(),
        };
        let step = moving.iter().position(|&i| i == counter);
        let mut results: Vec<Carried> = (0..moving.len()).map(Carried::Result).collect();
        if let (Some(step), true) = (step, start.to_f64() == 0.0 && length > 0) {
            let scanned = find_scanned(scan, program, inputs, step);
            (scan, program, inputs, results) = (scanned.scan, scanned.body, scanned.operands, scanned.carried);
        }
        scan.body = Arc::new(program);
        let found = self.builder().try_emit(Op::Scan(scan), &inputs)?;
        let mut outputs = carry.to_vec();
        for (&position, result) in moving.iter().zip(results) {
            outputs[position] = match result {
                Carried::Result(at) => found[at],
                Carried::Literal(value) => value.into(),
            };
        }
        Ok(Some(outputs))
    }

    pub(super) fn case(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        let index = self.operand(operation)?;
        let count = operation.regions.len();
        let found = self.aval(index);
        if found != Aval::new(DType::I32, Shape::scalar()) || count == 0 {
            return Err(malformed(
                operation,
                format!("expected an index i32[] and branches, found {found} and {count}"),
            ));
        }
        // An index out of range picks the last branch; the op would clamp a negative one to the first.
        let last = Scalar::from_i64(DType::I32, count as i64 - 1);
        let b = self.builder();
        let negative = b.compare(Compare::Lt, index, Scalar::zero(DType::I32).into());
        let index = b.select(negative, last.into(), index);
        let branches = (0..count).collect::<Vec<_>>();
        self.branches(operation, index, &branches)
    }

    pub(super) fn if_else(&mut self, operation: &Operation) -> Result<Vec<Atom>> {
        if operation.regions.len() != 2 {
            return Err(malformed(operation, format!("expected two regions, found {}", operation.regions.len())));
        }
        let predicate = self.operand(operation)?;
        let index = self.builder().convert(predicate, DType::I32);
        self.branches(operation, index, &[1, 0])
    }

    /// A `cond` over the regions in the given order, all of which take the same captured values.
    fn branches(&mut self, operation: &Operation, index: Atom, order: &[usize]) -> Result<Vec<Atom>> {
        if operation.regions.iter().any(|region| !region.arguments.is_empty()) {
            return Err(malformed(operation, "a branch has arguments".into()));
        }
        let bodies = order.iter().map(|&i| self.region(&operation.regions[i])).collect::<Result<Vec<_>>>()?;
        let mut captures: Vec<Capture> = vec![];
        for capture in bodies.iter().flat_map(|body| &body.captures) {
            if !captures.contains(capture) {
                captures.push(capture.clone());
            }
        }
        let operands = self.resolve(&captures)?;
        let avals: Vec<_> = operands.iter().map(|&x| self.aval(x)).collect();
        let branches = bodies
            .into_iter()
            .map(|body| {
                let mut b = rjax_ir::Builder::new();
                let inputs: Vec<Atom> = avals.iter().map(|aval| b.input(aval.clone())).collect();
                let used: Vec<Atom> = body
                    .captures
                    .iter()
                    .map(|c| inputs[captures.iter().position(|d| d == c).expect("collected above")])
                    .collect();
                let outputs = b.inline(&body.program, &used);
                Arc::new(b.finish(outputs).dce())
            })
            .collect();
        let mut inputs = vec![index];
        inputs.extend(operands);
        self.builder().try_emit(Op::Cond { branches }, &inputs)
    }
}

enum Limit {
    Literal(Scalar),
    Capture(usize),
    Carry(usize),
}

/// For a condition that is only `carry[i] < limit`: i and the limit.
fn counter_and_limit(cond: &Program, captures: usize) -> Option<(usize, Limit)> {
    let cond = cond.dce();
    let [eqn] = &cond.eqns[..] else { return None };
    let (Op::Compare(Compare::Lt), [Atom::Var(counter), limit]) = (&eqn.op, &eqn.inputs[..]) else { return None };
    let (counter, limit) = (*counter, *limit);
    if cond.outvars[..] != [Atom::Var(eqn.outputs[0])] || !cond.aval(counter).dtype.is_integer() {
        return None;
    }
    let position = |v: &Var| cond.invars.iter().position(|w| w == v);
    let counter = position(&counter)?.checked_sub(captures)?;
    let limit = match limit {
        Atom::Lit(n) => Limit::Literal(n),
        Atom::Var(v) => match position(&v)? {
            p if p < captures => Limit::Capture(p),
            p => Limit::Carry(p - captures),
        },
    };
    Some((counter, limit))
}

/// Whether output `counter` of the body is its input plus one.
fn grows_by_one(body: &Program, captures: usize, counter: usize) -> bool {
    let Some(&input) = body.invars.get(captures + counter) else { return false };
    let Atom::Var(output) = body.outvars[counter] else { return false };
    body.eqns.iter().any(|eqn| {
        let one: Atom = Scalar::one(body.aval(input).dtype).into();
        eqn.op == Op::Binary(Binary::Add)
            && eqn.outputs == [output]
            && (eqn.inputs == [Atom::Var(input), one] || eqn.inputs == [one, Atom::Var(input)])
    })
}
