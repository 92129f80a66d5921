//! `conv_general_dilated` as a nest: for each result element, loops over the window and the input features.

use rjax_ir::{Binary, Conv, Result};

use super::Writer;
use super::element::Element;
use super::window::Padded;
use crate::graph::NodeId;
use crate::kir::{Index, Order};

impl Writer<'_, '_> {
    pub(super) fn conv(&mut self, id: NodeId, conv: &Conv, at: &[Index]) -> Result<Element> {
        let node = self.graph.node(id);
        let (lhs, rhs, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
        let (lhs_shape, rhs_shape, out_shape) = (self.shape(lhs), self.shape(rhs), self.shape(y));
        let spatial = conv.lhs_spec.len() - 2;
        let accumulator = conv.preferred.accumulator();
        let zero = Element::zero(&mut self.b, accumulator);

        let (batch, out_feature) = (&at[conv.out_spec[0]], &at[conv.out_spec[1]]);
        let out_features = rhs_shape[conv.rhs_spec[0]];
        let group_features = rhs_shape[conv.rhs_spec[1]];
        let mut lhs_batch = batch.clone();
        let mut first_feature = Index::default();
        if conv.feature_group_count > 1 {
            let group = self.b.digit(out_feature, (out_features / conv.feature_group_count) as i64, None);
            first_feature = group.times(group_features as i64);
        }
        if conv.batch_group_count > 1 {
            let group = self.b.digit(out_feature, (out_features / conv.batch_group_count) as i64, None);
            lhs_batch = lhs_batch.plus(&group, (lhs_shape[conv.lhs_spec[0]] / conv.batch_group_count) as i64);
        }

        let mut extents: Vec<usize> = (0..spatial).map(|i| rhs_shape[conv.rhs_spec[i + 2]]).collect();
        extents.push(group_features);
        // The loops are placed where all of `at` and the group indices are known.
        let known: Vec<Index> = at.iter().cloned().chain([lhs_batch.clone(), first_feature.clone()]).collect();
        let total =
            self.fold(&known, &extents, zero.registers().collect(), Order::VectorReduce, |w, taps, total| {
                let feature = &taps[spatial];
                let mut l = vec![Index::default(); spatial + 2];
                let mut r = vec![Index::default(); spatial + 2];
                l[conv.lhs_spec[0]] = lhs_batch;
                l[conv.lhs_spec[1]] = first_feature.plus(feature, 1);
                r[conv.rhs_spec[0]] = out_feature.clone();
                r[conv.rhs_spec[1]] = feature.clone();
                let mut condition = None;
                for (i, tap) in taps[..spatial].iter().enumerate() {
                    let (lhs_axis, rhs_axis, out_axis) =
                        (conv.lhs_spec[i + 2], conv.rhs_spec[i + 2], conv.out_spec[i + 2]);
                    let padded = Padded::tap(
                        &at[out_axis],
                        out_shape[out_axis],
                        conv.window_strides[i],
                        tap,
                        rhs_shape[rhs_axis],
                        conv.rhs_dilation[i],
                        conv.padding[i].0,
                    );
                    let (index, inside) = w.undo_padding(padded, lhs_shape[lhs_axis], conv.lhs_dilation[i]);
                    if let Some(inside) = inside {
                        condition = Some(w.b.and(condition, inside));
                    }
                    l[lhs_axis] = index;
                    r[rhs_axis] = tap.clone();
                }
                let x = w.masked(condition, |w| w.pull(lhs, &l))?;
                let k = w.pull(rhs, &r)?;
                let (x, k) = (w.convert(x, accumulator), w.convert(k, accumulator));
                let mut product = w.binary(Binary::Mul, accumulator, x, k);
                if let Some(condition) = condition {
                    // 0 times infinity is not 0: what is outside does not take part.
                    product = w.select_element(condition, product, zero);
                }
                let total = Element::from_registers(&[accumulator], total)[0];
                Ok(w.binary(Binary::Add, accumulator, total, product).registers().collect())
            })?;
        let total = Element::from_registers(&[accumulator], &total)[0];
        Ok(self.convert(total, conv.preferred))
    }
}
