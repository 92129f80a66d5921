//! The network, its loss, and the Adam optimizer.

use rjax::prelude::*;

/// A layer: `x · w + b`.
#[derive(Clone, Tree)]
pub struct Layer {
    /// `f32[inputs, outputs]`.
    pub w: Array,
    /// `f32[outputs]`.
    pub b: Array,
}

/// The network's layers, first to last.
pub type Params = Vec<Layer>;

/// Random weights scaled by the number of inputs (He et al., 2015), zero biases.
pub fn init(key: &Key, sizes: &[usize]) -> Params {
    sizes
        .windows(2)
        .enumerate()
        .map(|(layer, size)| Layer {
            w: random::normal(&key.fold_in(layer as i32), [size[0], size[1]], DType::F32)
                * (2.0 / size[0] as f64).sqrt(),
            b: jnp::zeros([size[1]], DType::F32),
        })
        .collect()
}

/// The logits of one image or of a batch of them.
pub fn predict(params: &Params, images: &Array) -> Array {
    let (last, hidden) = params.split_last().expect("a network has layers");
    let features = hidden.iter().fold(images.clone(), |x, layer| nn::relu(&(x.dot(&layer.w) + &layer.b)));
    features.dot(&last.w) + &last.b
}

/// The mean cross-entropy of a batch.
pub fn loss(params: &Params, images: &Array, labels: &Array) -> Array {
    let wanted = nn::one_hot(labels, 10, DType::F32);
    -(nn::log_softmax(&predict(params, images), -1) * wanted).sum(-1).mean(..)
}

/// The cross-entropy of one image.
pub fn loss_of_one(params: &Params, image: &Array, label: &Array) -> Array {
    let wanted = nn::one_hot(label, 10, DType::F32);
    -(nn::log_softmax(&predict(params, image), -1) * wanted).sum(..)
}

/// The state of Adam (Kingma and Ba, 2015): running means of the gradients and of their squares.
#[derive(Clone, Tree)]
pub struct Adam {
    mean: Params,
    square: Params,
    steps: Array,
}

impl Adam {
    const RATE: f64 = 2e-3;

    /// The state before the first step.
    pub fn new(params: &Params) -> Adam {
        let zeros = tree::map(jnp::zeros_like, params);
        Adam { mean: zeros.clone(), square: zeros, steps: jnp::array(0.0f32) }
    }

    /// The parameters and the state after a step along a gradient.
    pub fn update(&self, params: &Params, gradient: &Params) -> (Params, Adam) {
        let steps = &self.steps + 1.0;
        let mean = tree::map2(|m, g| 0.9 * m + 0.1 * g, &self.mean, gradient);
        let square = tree::map2(|v, g| 0.999 * v + 0.001 * g.square(), &self.square, gradient);
        let mean_scale = 1.0 / (1.0 - jnp::power(jnp::array(0.9f32), &steps));
        let square_scale = 1.0 / (1.0 - jnp::power(jnp::array(0.999f32), &steps));
        let params = tree::map3(
            |p, m, v| p - Self::RATE * (m * &mean_scale) / ((v * &square_scale).sqrt() + 1e-8),
            params,
            &mean,
            &square,
        );
        (params, Adam { mean, square, steps })
    }
}
