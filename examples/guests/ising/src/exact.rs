//! The infinite lattice, solved exactly.

/// Energy per spin (Onsager, Physical Review 65, 1944).
pub fn energy(temperature: f64) -> f64 {
    let double = 2.0 / temperature;
    let (tanh, cosh) = (double.tanh(), double.cosh());
    let modulus = 2.0 * tanh / cosh;
    let weight = 2.0 * tanh * tanh - 1.0;
    // At the critical temperature the weight is zero and the integral infinite; the product is 0.
    let product = if weight.abs() < 1e-12 { 0.0 } else { weight * elliptic_k(modulus) };
    -(1.0 + std::f64::consts::FRAC_2_PI * product) / tanh
}

/// Spontaneous magnetisation per spin (Yang, Physical Review 85, 1952).
pub fn magnetisation(temperature: f64) -> f64 {
    let inner = 1.0 - (2.0 / temperature).sinh().powi(-4);
    if inner > 0.0 { inner.powf(0.125) } else { 0.0 }
}

/// The complete elliptic integral of the first kind of a modulus below one, by the
/// arithmetic-geometric mean (Abramowitz and Stegun, 17.6).
fn elliptic_k(modulus: f64) -> f64 {
    let (mut a, mut b) = (1.0, (1.0 - modulus * modulus).sqrt());
    for _ in 0..40 {
        (a, b) = ((a + b) / 2.0, (a * b).sqrt());
    }
    std::f64::consts::FRAC_PI_2 / a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn critical() -> f64 {
        2.0 / (1.0 + 2f64.sqrt()).ln()
    }

    #[test]
    fn known_points_come_out() {
        // Abramowitz and Stegun, table 17.1: K at m = k² = 0.5.
        assert!((elliptic_k(0.5f64.sqrt()) - 1.854_074_677_301_372).abs() < 1e-14);
        assert!((energy(critical()) + 2f64.sqrt()).abs() < 1e-6);
        assert!((energy(0.5) + 2.0).abs() < 1e-5);
        assert!(energy(1000.0).abs() < 0.01);
    }

    #[test]
    fn order_ends_at_the_critical_temperature() {
        assert!(magnetisation(1.0) > 0.999);
        assert!(magnetisation(critical() - 0.01) > 0.6);
        assert_eq!(magnetisation(critical() + 0.01), 0.0);
    }
}
