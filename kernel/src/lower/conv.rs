//! `conv_general_dilated`: a library routine where dtypes allow, else a nest that for each result element loops over the window and the input
//! features.

use rjax_ir::{Binary, Conv, Op, Result};

use super::Writer;
use super::dot_general::{Strided, is_routine_dtype, strided};
use super::element::Element;
use super::window::Padded;
use crate::graph::{Graph, NodeId};
use crate::kir::{self, ConvAxis, GemmAxis, Index, Order};

/// What the routine reads.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ConvOperands {
    pub lhs: Strided,
    pub rhs: Strided,
    pub batch: GemmAxis,
    pub group: GemmAxis,
    pub input: GemmAxis,
    pub output: GemmAxis,
    pub spatial: Vec<ConvAxis>,
}

/// The operands of a convolution that a routine can compute: of a floating dtype, none of them empty.
pub(crate) fn conv_operands(graph: &Graph<'_>, id: NodeId) -> Option<ConvOperands> {
    let node = graph.node(id);
    let Op::Conv(conv) = node.op else { return None };
    let (l, r, y) = (node.inputs[0], node.inputs[1], node.outputs[0]);
    let rank = conv.lhs_spec.len();
    let empty = [l, r, y].iter().any(|&x| graph.aval(x).size() == 0);
    if empty || rank - 2 > kir::Conv::MAX_SPATIAL || !is_routine_dtype(graph.aval(l).dtype, conv.preferred) {
        return None;
    }
    let (lhs, rhs) = (strided(graph, l)?, strided(graph, r)?);
    let (lhs_shape, rhs_shape, out_shape) = (&graph.aval(l).shape, &graph.aval(r).shape, &graph.aval(y).shape);
    let out: Vec<isize> = out_shape.strides().into_iter().map(|s| s as isize).collect();
    let groups = conv.feature_group_count.max(conv.batch_group_count);
    let (batch, features) = (out_shape[conv.out_spec[0]], rhs_shape[conv.rhs_spec[0]] / groups);
    let inputs = rhs_shape[conv.rhs_spec[1]];
    let (lhs_batch, lhs_feature) = (lhs.strides[conv.lhs_spec[0]], lhs.strides[conv.lhs_spec[1]]);
    // Of several groups, each has its own features of the lhs, or its own images.
    let lhs_group = if conv.batch_group_count > 1 { lhs_batch * batch as isize } else { lhs_feature * inputs as isize };
    let (rhs_feature, out_feature) = (rhs.strides[conv.rhs_spec[0]], out[conv.out_spec[1]]);
    let group = GemmAxis {
        extent: groups,
        lhs: lhs_group,
        rhs: rhs_feature * features as isize,
        out: out_feature * features as isize,
    };
    let spatial = (0..rank - 2).map(|i| {
        let (l, r, o) = (conv.lhs_spec[i + 2], conv.rhs_spec[i + 2], conv.out_spec[i + 2]);
        ConvAxis {
            extent: out_shape[o],
            window: rhs_shape[r],
            lhs_extent: lhs_shape[l],
            stride: conv.window_strides[i],
            dilation: conv.rhs_dilation[i],
            base_dilation: conv.lhs_dilation[i],
            low: conv.padding[i].0,
            lhs: lhs.strides[l],
            rhs: rhs.strides[r],
            out: out[o],
        }
    });
    Some(ConvOperands {
        batch: GemmAxis { extent: batch, lhs: lhs_batch, rhs: 0, out: out[conv.out_spec[0]] },
        group,
        input: GemmAxis { extent: inputs, lhs: lhs_feature, rhs: rhs.strides[conv.rhs_spec[1]], out: 0 },
        output: GemmAxis { extent: features, lhs: 0, rhs: rhs_feature, out: out_feature },
        spatial: spatial.collect(),
        lhs,
        rhs,
    })
}

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
                l[conv.lhs_spec[0]] = lhs_batch.clone();
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
