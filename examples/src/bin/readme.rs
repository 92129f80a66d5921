//! The program of JAX's README: a network, its loss, the compiled gradient, and a gradient for each example.

use rjax::prelude::*;

#[derive(Clone, Tree)]
struct Layer {
    w: Array,
    b: Array,
}

type Params = Vec<Layer>;

fn predict(params: &Params, inputs: &Array) -> Array {
    params.iter().fold(inputs.clone(), |x, layer| (x.dot(&layer.w) + &layer.b).tanh())
}

fn loss(params: &Params, inputs: &Array, targets: &Array) -> Array {
    (predict(params, inputs) - targets).square().sum(..)
}

fn main() {
    let key = Key::new(0);
    let sizes = [784, 512, 512, 10];
    let params: Params = (sizes.windows(2).enumerate())
        .map(|(i, size)| {
            let [w, b] = key.fold_in(i as i32).split();
            Layer {
                w: random::normal(&w, [size[0], size[1]], DType::F32) / (size[0] as f64).sqrt(),
                b: random::normal(&b, [size[1]], DType::F32),
            }
        })
        .collect();
    let [inputs, targets] = key.fold_in(3).split();
    let inputs = random::normal(&inputs, [128, 784], DType::F32);
    let targets = random::uniform(&targets, [128, 10], DType::F32, -1.0, 1.0);

    let grad_loss = jit(grad(loss));
    let perex_grads = jit(vmap(grad(loss), axes![_, 0, 0]));
    let gradient = grad_loss(&params, &inputs, &targets);
    let each = perex_grads(&params, &inputs, &targets);

    println!("loss: {:.4}", loss(&params, &inputs, &targets).item::<f32>());
    for (i, ((gradient, each), layer)) in gradient.iter().zip(&each).zip(&params).enumerate() {
        println!(
            "layer {i}: w {:?}, gradient {:?}, for each example {:?}",
            layer.w.shape(),
            gradient.w.shape(),
            each.w.shape()
        );
        let (sum, whole) = (each.w.sum(0), &gradient.w);
        let difference = ((&sum - whole).abs().max(..) / whole.abs().max(..)).item::<f32>();
        println!("  the examples' gradients add up to the gradient, to {difference:.0e} of its largest entry");
    }
}
