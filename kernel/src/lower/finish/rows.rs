//! A longer range for kernels that go over rows in two loops.

use std::collections::HashSet;

use rjax_ir::DType;

use super::{register, remove_dead, renumber, visit_mut};
use crate::kir::{Expr, Index, Inst, Kernel, Order};

/// The same kernel with the first loop inside the loop over the range made part of it: its index is the quotient and the remainder of
/// one, which indices that go on from one loop to the other do not need.
pub(crate) fn widen_range(kernel: &Kernel) -> Option<Kernel> {
    let mut wide = kernel.clone();
    let place = wide.body.iter().position(|inst| {
        matches!(inst, Inst::Loop(l)
            if l.begin.as_reg() == Some(kernel.range.begin) && l.end.as_reg() == Some(kernel.range.end))
    })?;
    let Inst::Loop(mut outer) = wide.body[place].clone() else { return None };
    let Some(Inst::Loop(mut inner)) = outer.body.pop() else { return None };
    let (begin, extent) = (inner.begin.as_constant()?, inner.end.as_constant()?);
    let simple = outer.body.iter().all(|inst| matches!(inst, Inst::Let { .. } | Inst::Load { .. }));
    let both = [outer.order, inner.order].iter().all(|order| *order == Order::Independent);
    let nothing_carried = outer.carried.is_empty() && inner.carried.is_empty();
    if begin != 0 || extent < 2 || !simple || !both || !nothing_carried {
        return None;
    }
    let both = register(&mut wide, DType::I64);
    let goes_on = |index: &mut Index| {
        let factor = index.coefficient(inner.variable);
        if factor != 0 && index.coefficient(outer.variable) == factor * extent {
            index.terms.retain(|&(r, _)| r != inner.variable && r != outer.variable);
            index.terms.push((both, factor));
            index.terms.sort();
        }
    };
    visit_mut(&mut inner.body, &mut |inst| inst.indices_mut(&mut |index| goes_on(index)));
    let digit = |result, value| Inst::Let { result, value };
    let mut body =
        vec![digit(outer.variable, Expr::IndexDiv(both, extent)), digit(inner.variable, Expr::IndexRem(both, extent))];
    body.append(&mut outer.body);
    body.append(&mut inner.body);
    (outer.variable, outer.body) = (both, body);
    wide.range.extent *= extent as usize;
    wide.body[place] = Inst::Loop(outer);
    remove_dead(&mut wide.body, &mut HashSet::new());
    renumber(&mut wide);
    Some(wide)
}
