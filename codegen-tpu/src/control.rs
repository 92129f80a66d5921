//! Control flow. Branches use the values around them; loops carry what they use, since some consumers do not take values from
//! outside into loops.

use std::sync::Arc;

use rjax_ir::{Aval, Compare, DType, Program, Result, Scalar, Scan, While};
use rjax_stablehlo::mlir::Value;

use super::{Block, Exporter, ints};

impl Exporter<'_> {
    pub(super) fn cond(
        &mut self,
        block: &mut Block,
        branches: &[Arc<Program>],
        operands: &[Value],
        results: &[Aval],
    ) -> Result<Vec<Value>> {
        let (index, operands) = (operands[0], &operands[1..]);
        if let [only] = branches {
            return self.inline(block, only, operands);
        }
        // Out of range `case` takes the last branch on both sides.
        let first = self.scalar(block, Scalar::zero(DType::I32));
        let last = self.scalar(block, Scalar::from_i64(DType::I32, branches.len() as i64 - 1));
        let index = self.simple(block, "clamp", &[first, index, last], &Aval::scalar(DType::I32));
        let mut regions = vec![];
        for branch in branches {
            regions.push(self.region(&[], |e, block, _| e.inline(block, branch, operands))?);
        }
        Ok(self.operation(block, "case", &[index], vec![], regions, results))
    }

    pub(super) fn while_loop(
        &mut self,
        block: &mut Block,
        while_loop: &While,
        operands: &[Value],
        inputs: &[Aval],
    ) -> Result<Vec<Value>> {
        let consts = while_loop.cond_nconsts + while_loop.body_nconsts;
        let cond = self.region(inputs, |e, block, arguments| {
            let given = [&arguments[..while_loop.cond_nconsts], &arguments[consts..]].concat();
            e.inline(block, &while_loop.cond, &given)
        })?;
        let body = self.region(inputs, |e, block, arguments| {
            let next = e.inline(block, &while_loop.body, &arguments[while_loop.cond_nconsts..])?;
            Ok([&arguments[..consts], &next].concat())
        })?;
        let results = self.operation(block, "while", operands, vec![], vec![cond, body], inputs);
        Ok(results[consts..].to_vec())
    }

    /// A loop that counts the steps, takes a row of each scanned operand and puts a row into each stacked result.
    pub(super) fn scan(
        &mut self,
        block: &mut Block,
        scan: &Scan,
        operands: &[Value],
        inputs: &[Aval],
        results: &[Aval],
    ) -> Result<Vec<Value>> {
        let (consts, rest) = operands.split_at(scan.num_consts);
        let (carry, xs) = rest.split_at(scan.num_carry);
        let stacked = &results[scan.num_carry..];
        let ys: Vec<Value> =
            stacked.iter().map(|aval| self.full(block, Scalar::zero(aval.dtype), &aval.shape)).collect();
        if scan.length == 0 {
            return Ok([carry, &ys].concat());
        }
        let counter = Aval::scalar(DType::I32);
        let i32 = |value: usize| Scalar::from_i64(DType::I32, value as i64);
        let start = self.scalar(block, i32(0));
        // The step, the constants, the scanned arrays, what is carried, and the results so far.
        let (carried, scanned) = inputs[scan.num_consts..].split_at(scan.num_carry);
        let avals: Vec<Aval> = std::iter::once(&counter)
            .chain(&inputs[..scan.num_consts])
            .chain(scanned)
            .chain(carried)
            .chain(stacked)
            .cloned()
            .collect();
        let fixed = 1 + scan.num_consts + xs.len();
        let cond = self.region(&avals, |e, block, arguments| {
            let limit = e.scalar(block, i32(scan.length));
            Ok(vec![e.compare(block, Compare::Lt, arguments[0], limit)])
        })?;
        let body = self.region(&avals, |e, block, arguments| {
            let (consts, xs) = arguments[1..fixed].split_at(scan.num_consts);
            let (carry, ys) = arguments[fixed..].split_at(scan.num_carry);
            let mut step = arguments[0];
            if scan.reverse {
                let last = e.scalar(block, i32(scan.length - 1));
                step = e.simple(block, "subtract", &[last, step], &counter);
            }
            let zero = e.scalar(block, i32(0));
            let at_step = |rank: usize| (0..rank).map(|axis| if axis == 0 { step } else { zero }).collect::<Vec<_>>();
            let mut given = [consts, carry].concat();
            for &x in xs {
                let aval = e.aval(x);
                let row = aval.with_shape(aval.shape.with_extent(0, 1));
                let operands = [vec![x], at_step(aval.rank())].concat();
                let attributes = vec![("slice_sizes", ints(row.shape.iter().copied()))];
                let row = e.operation(block, "dynamic_slice", &operands, attributes, vec![], &[row])[0];
                given.push(e.simple(block, "reshape", &[row], &aval.with_shape(aval.shape.without(&[0]))));
            }
            let outputs = e.inline(block, &scan.body, &given)?;
            let one = e.scalar(block, i32(1));
            let mut next = vec![e.simple(block, "add", &[arguments[0], one], &counter)];
            next.extend_from_slice(&arguments[1..fixed]);
            next.extend_from_slice(&outputs[..scan.num_carry]);
            for (&all, &y) in ys.iter().zip(&outputs[scan.num_carry..]) {
                let aval = e.aval(all);
                let row = e.simple(block, "reshape", &[y], &aval.with_shape(aval.shape.with_extent(0, 1)));
                let operands = [vec![all, row], at_step(aval.rank())].concat();
                next.push(e.simple(block, "dynamic_update_slice", &operands, &aval));
            }
            Ok(next)
        })?;
        let operands = [&[start], consts, xs, carry, &ys].concat();
        let outputs = self.operation(block, "while", &operands, vec![], vec![cond, body], &avals);
        Ok(outputs[fixed..].to_vec())
    }
}
