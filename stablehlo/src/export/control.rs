//! Control flow. What programs inside ops take as constants, regions take from outside.

use std::sync::Arc;

use rjax_ir::{Aval, Compare, DType, Program, Result, Scalar, Scan, While};

use super::{Block, Exporter, ints};
use crate::mlir::Value;

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
            regions.push(self.region(block, &[], |e, block, _| e.inline(block, branch, operands))?);
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
        let (cond_consts, rest) = operands.split_at(while_loop.cond_nconsts);
        let (body_consts, carry) = rest.split_at(while_loop.body_nconsts);
        let carried = &inputs[inputs.len() - carry.len()..];
        let part = |e: &mut Self, program: &Program, consts: &[Value]| {
            e.region(block, carried, |e, block, arguments| e.inline(block, program, &[consts, arguments].concat()))
        };
        let cond = part(self, &while_loop.cond, cond_consts)?;
        let body = part(self, &while_loop.body, body_consts)?;
        Ok(self.operation(block, "while", carry, vec![], vec![cond, body], carried))
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
        let avals: Vec<Aval> = std::iter::once(counter.clone())
            .chain(inputs[scan.num_consts..scan.num_consts + scan.num_carry].iter().cloned())
            .chain(stacked.iter().cloned())
            .collect();
        let cond = self.region(block, &avals, |e, block, arguments| {
            let limit = e.scalar(block, i32(scan.length));
            Ok(vec![e.compare(block, Compare::Lt, arguments[0], limit)])
        })?;
        let body = self.region(block, &avals, |e, block, arguments| {
            let (carry, ys) = arguments[1..].split_at(scan.num_carry);
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
            next.extend_from_slice(&outputs[..scan.num_carry]);
            for (&all, &y) in ys.iter().zip(&outputs[scan.num_carry..]) {
                let aval = e.aval(all);
                let row = e.simple(block, "reshape", &[y], &aval.with_shape(aval.shape.with_extent(0, 1)));
                let operands = [vec![all, row], at_step(aval.rank())].concat();
                next.push(e.simple(block, "dynamic_update_slice", &operands, &aval));
            }
            Ok(next)
        })?;
        let operands = [&[start], carry, &ys].concat();
        let outputs = self.operation(block, "while", &operands, vec![], vec![cond, body], &avals);
        Ok(outputs[1..].to_vec())
    }
}
