//! Learns to read handwritten digits: a network in plain Rust, differentiated by `grad`, batched by `vmap`, compiled by `jit`.
//!
//! ```sh
//! cargo run --release --bin digits                          # on this processor
//! cargo run --release --bin digits -- --device pjrt:PATH    # on the device of a PJRT plugin; `tpu` for a TPU
//! ```
//!
//! Trains on 1,437 images of the carried data set, tests on the other 360, shows the test images whose loss has the steepest gradient, and
//! writes the loss curve and the confusion matrix to `out/digits.svg`.

mod data;
mod model;
mod picture;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rjax::prelude::*;

use data::{Digits, Split};
use model::{Adam, Params};

const EPOCHS: usize = 60;
const BATCH: usize = 64;
const SEED: u64 = 0;

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let device = chosen_device()?;
    let Split { train, test } = data::load()?.split(SEED);
    println!("{} images to train on, {} to test on; device: {device}", train.len(), test.len());

    // One training step: value and gradient of the loss, then the optimizer. It is traced, simplified and compiled on its first call.
    let step = jit(|state: &(Params, Adam), images: &Array, labels: &Array| {
        let (loss, gradient) = value_and_grad(model::loss)(&state.0, images, labels);
        let (params, adam) = state.1.update(&state.0, &gradient);
        ((params, adam), loss)
    })
    .on(device);
    let predict = jit(model::predict).on(device);

    let params = model::init(&Key::new(SEED), &[64, 128, 64, 10]);
    let mut state = (params.clone(), Adam::new(&params));
    let shuffling = Key::new(SEED + 1);
    let mut losses = vec![];
    let bar = ProgressBar::new(EPOCHS as u64).with_style(ProgressStyle::with_template(
        "training {bar:40} epoch {pos}/{len}, loss {msg}, {elapsed} elapsed",
    )?);
    for epoch in 0..EPOCHS {
        let mut total = 0.0;
        let batches = train.shuffled_batches(&shuffling.fold_in(epoch as i32), BATCH);
        for (images, labels) in &batches {
            let (next, loss) = step(&state, images, labels);
            state = next;
            total += loss.item::<f32>();
        }
        losses.push(total / batches.len() as f32);
        bar.set_message(format!("{:.4}", losses[epoch]));
        bar.inc(1);
    }
    bar.finish();

    let params = &state.0;
    let predicted = predict(params, &test.images).argmax(-1).to_vec::<i32>();
    let correct = predicted.iter().zip(&test.digits).filter(|(p, d)| **p == **d as i32).count();
    println!("test accuracy: {:.1} %", 100.0 * correct as f64 / test.len() as f64);

    show_most_surprising(params, &test, &predicted);

    println!("mean loss of the first epoch: {:.6}, of the last: {:.6}", losses[0], losses[EPOCHS - 1]);

    let path = Path::new("out/digits.svg");
    picture::draw(path, &losses, &test.digits, &predicted)?;
    println!("wrote {} after {:.1} s", path.display(), started.elapsed().as_secs_f64());
    Ok(())
}

/// What `--device` names; without it, this processor.
fn chosen_device() -> Result<Device, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(Device::default()),
        ["--device", name] => Ok(Device::parse(name)?),
        _ => Err("usage: digits [--device cpu|interp|tpu|pjrt:PATH]".into()),
    }
}

/// Draws the test images whose own loss has the largest gradient: those that the network would have to change most for.
fn show_most_surprising(params: &Params, test: &Digits, predicted: &[i32]) {
    // `grad` of the loss of one image, `vmap` over the images: one gradient of every parameter for each image.
    let norms = jit(vmap(
        |params: &Params, image: &Array, label: &Array| {
            let gradient = grad(model::loss_of_one)(params, image, label);
            tree::reduce(|sum: Array, leaf| sum + leaf.square().sum(..), &gradient, jnp::array(0.0f32)).sqrt()
        },
        axes![_, 0, 0],
    ));
    let norms = norms(params, &test.images, &test.labels).to_vec::<f32>();
    let mut order: Vec<usize> = (0..test.len()).collect();
    order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
    println!(
        "\nThe most surprising test images (norm of their own gradient; what they are, what they were taken for):\n"
    );
    picture::print_images(test, &order[..5], |i| format!("{:.1}: {} → {}", norms[i], test.digits[i], predicted[i]));
}
