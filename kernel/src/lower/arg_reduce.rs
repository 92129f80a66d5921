//! `argmax`, `argmin`.

use rjax_ir::{ArgReduce, Binary, Compare, DType, Reducer, Result, Scalar};

use super::Writer;
use super::element::Element;
use super::reduce::merge;
use crate::graph::NodeId;
use crate::kir::{Index, Order, Reg};

impl Writer<'_, '_> {
    pub(super) fn arg_reduce(&mut self, id: NodeId, arg: &ArgReduce, at: &[Index]) -> Result<Element> {
        let x = self.graph.node(id).inputs[0];
        let dtype = self.graph.aval(x).dtype;
        let reducer = if arg.largest { Reducer::Max } else { Reducer::Min };
        // Ties go to the lowest index, so starting from the identity at index 0 is right even if nothing beats it.
        let init = Element::constant(&mut self.b, reducer.identity(dtype));
        let extent = self.shape(x)[arg.axis];
        // As wide as what it is the index of usually is.
        let index_dtype = if i32::try_from(extent).is_ok() { DType::I32 } else { DType::I64 };
        let mut inits: Vec<Reg> = init.registers().collect();
        inits.push(self.b.constant(Scalar::from_i64(index_dtype, 0)));
        let results = self.fold(at, &[extent], inits, Order::Sequential, |w, inner, carried| {
            let (best, best_index) = split(dtype, carried);
            let value = w.pull(x, &merge(&[arg.axis], inner, at))?;
            let wins = w.beats(arg.largest, value, best);
            let index = w.b.index_register(&inner[0]);
            let index = w.b.convert(index, index_dtype);
            let mut next: Vec<Reg> = w.select_element(wins, value, best).registers().collect();
            next.push(w.b.select(wins, index, best_index));
            Ok(next)
        })?;
        let (_, index) = split(dtype, &results);
        Ok(Element::real(self.b.convert(index, arg.index_dtype)))
    }

    /// Whether a value is greater (or less) than the best so far; NaN beats everything else, complex numbers compare by the
    /// real part first.
    pub(super) fn beats(&mut self, largest: bool, value: Element, best: Element) -> Reg {
        let (real, equal) = self.beats_part(largest, value.real, best.real);
        let (Some(value), Some(best)) = (value.imag, best.imag) else { return real };
        let (imag, _) = self.beats_part(largest, value, best);
        let tie = self.b.binary(Binary::And, equal, imag);
        self.b.binary(Binary::Or, real, tie)
    }

    /// Whether a real value beats another, and whether neither does.
    fn beats_part(&mut self, largest: bool, value: Reg, best: Reg) -> (Reg, Reg) {
        let op = if largest { Compare::Gt } else { Compare::Lt };
        let wins = self.b.compare(op, value, best);
        let equal = self.b.compare(Compare::Eq, value, best);
        if !self.b.dtype(value).is_float() {
            return (wins, equal);
        }
        let value_is_nan = self.b.compare(Compare::Ne, value, value);
        let best_is_number = self.b.compare(Compare::Eq, best, best);
        let first_nan = self.b.binary(Binary::And, value_is_nan, best_is_number);
        let wins = self.b.binary(Binary::Or, wins, first_nan);
        let best_is_nan = self.b.compare(Compare::Ne, best, best);
        let both_nan = self.b.binary(Binary::And, value_is_nan, best_is_nan);
        (wins, self.b.binary(Binary::Or, equal, both_nan))
    }
}

fn split(dtype: DType, carried: &[Reg]) -> (Element, Reg) {
    let (&index, best) = carried.split_last().expect("the index is carried last");
    (Element::from_registers(&[dtype], best)[0], index)
}
