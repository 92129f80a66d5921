//! Images in the terminal, and the loss curve with the confusion matrix as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::data::Digits;

/// Prints images side by side, two rows of pixels to a line of text, each with a caption.
pub fn print_images(digits: &Digits, positions: &[usize], caption: impl Fn(usize) -> String) {
    const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];
    for row in 0..8 {
        let line = positions.iter().map(|&i| {
            let pixels = &digits.pixels[i * 64 + row * 8..][..8];
            let shade = |&pixel: &f32| SHADES[(pixel * 4.0).round() as usize];
            pixels.iter().map(shade).flat_map(|c| [c, c]).collect::<String>()
        });
        println!("  {}", line.collect::<Vec<_>>().join("   "));
    }
    let captions = positions.iter().map(|&i| format!("{:^16}", caption(i)));
    println!("  {}\n", captions.collect::<Vec<_>>().join("   "));
}

/// Draws the loss of each epoch (left, logarithmic) and how often each digit was taken for which (right).
pub fn draw(path: &Path, losses: &[f32], digits: &[u8], predicted: &[i32]) -> Result<(), Box<dyn Error>> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let area = SVGBackend::new(path, (1000, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(520);
    draw_losses(&left, losses)?;
    draw_confusion(&right, digits, predicted)?;
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_losses(area: &Area, losses: &[f32]) -> Result<(), Box<dyn Error>> {
    let least = losses.iter().copied().fold(f32::INFINITY, f32::min).max(1e-6);
    let greatest = losses.iter().copied().fold(least * 10.0, f32::max);
    let mut chart = ChartBuilder::on(area)
        .caption("training loss", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(1..losses.len().max(2), (least * 0.8..greatest * 1.2).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("cross-entropy")
        .y_label_formatter(&|y| format!("{y:.1e}"))
        .light_line_style(WHITE)
        .draw()?;
    let points = losses.iter().enumerate().map(|(epoch, &loss)| (epoch + 1, loss.max(1e-6)));
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)))?;
    Ok(())
}

fn draw_confusion(area: &Area, digits: &[u8], predicted: &[i32]) -> Result<(), Box<dyn Error>> {
    let mut counts = [[0usize; 10]; 10];
    for (&digit, &guess) in digits.iter().zip(predicted) {
        counts[digit as usize][guess as usize] += 1;
    }
    let most = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    let mut chart = ChartBuilder::on(area)
        .caption("test digits", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(42)
        .y_label_area_size(48)
        .build_cartesian_2d((0..9).into_segmented(), (0..9).into_segmented())?;
    chart.configure_mesh().disable_mesh().x_desc("taken for").y_desc("what it is").draw()?;
    for (digit, row) in counts.iter().enumerate() {
        for (guess, &count) in row.iter().enumerate() {
            let share = count as f64 / most as f64;
            let fade = |from: u8, to: u8| (from as f64 + (to as f64 - from as f64) * share.sqrt()) as u8;
            let fill = if digit == guess {
                RGBColor(fade(255, 30), fade(255, 110), fade(255, 200))
            } else {
                RGBColor(255, fade(255, 60), fade(255, 40))
            };
            let corners = [
                (SegmentValue::Exact(guess as i32), SegmentValue::Exact(digit as i32)),
                (SegmentValue::Exact(guess as i32 + 1), SegmentValue::Exact(digit as i32 + 1)),
            ];
            chart.draw_series([Rectangle::new(corners, fill.filled())])?;
            if count > 0 {
                let style = ("sans-serif", 14).into_font().color(if share > 0.4 { &WHITE } else { &BLACK });
                let style = style.pos(plotters::style::text_anchor::Pos::new(
                    plotters::style::text_anchor::HPos::Center,
                    plotters::style::text_anchor::VPos::Center,
                ));
                let center = (SegmentValue::CenterOf(guess as i32), SegmentValue::CenterOf(digit as i32));
                chart.draw_series([Text::new(count.to_string(), center, style)])?;
            }
        }
    }
    Ok(())
}
