//! Running library routines, which work on bytes of arrays, on tensors.

use crate::{Aval, Tensor};

/// Elements as bytes that are aligned for every dtype.
struct Aligned(Vec<u64>);

impl Aligned {
    fn zeros(bytes: usize) -> Aligned {
        Aligned(vec![0; bytes.div_ceil(8)])
    }
}

/// The results of a routine that takes operands and fills results, each with its type.
pub(super) fn eval(
    x: &[Tensor],
    outputs: &[Aval],
    routine: impl FnOnce(&[(&Aval, &[u8])], &mut [(&Aval, &mut [u8])]),
) -> Vec<Tensor> {
    let avals: Vec<Aval> = x.iter().map(Tensor::aval).collect();
    let operands: Vec<Aligned> = x
        .iter()
        .map(|x| {
            let bytes = x.to_bytes();
            let mut aligned = Aligned::zeros(bytes.len());
            bytemuck::cast_slice_mut(&mut aligned.0)[..bytes.len()].copy_from_slice(&bytes);
            aligned
        })
        .collect();
    let mut results: Vec<Aligned> = outputs.iter().map(|aval| Aligned::zeros(aval.bytes())).collect();
    let operands: Vec<(&Aval, &[u8])> =
        avals.iter().zip(&operands).map(|(aval, x)| (aval, &bytemuck::cast_slice(&x.0)[..aval.bytes()])).collect();
    let mut filled: Vec<(&Aval, &mut [u8])> = outputs
        .iter()
        .zip(&mut results)
        .map(|(aval, x)| (aval, &mut bytemuck::cast_slice_mut(&mut x.0)[..aval.bytes()]))
        .collect();
    routine(&operands, &mut filled);
    filled.iter().map(|(aval, bytes)| Tensor::from_bytes(aval, bytes)).collect()
}
