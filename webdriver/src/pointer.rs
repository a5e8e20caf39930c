//! What a hand does with a mouse: rest on something, drag over it.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::error::DriveError;

/// How long a movement takes, in milliseconds: long enough that the page hears of it on the way.
const MOVE_MS: u32 = 60;

impl Browser {
    /// Moves the pointer to a part of the first element that a selector finds, as shares of its width and height.
    pub fn point_at(&self, selector: &str, share: (f64, f64)) -> Result<(), DriveError> {
        let (x, y) = self.place_in(selector, share)?;
        self.act(&[moved(&x, &y)])
    }

    /// Drags over an element from one share of its width to another.
    pub fn drag(&self, selector: &str, from: f64, to: f64) -> Result<(), DriveError> {
        let (start, y) = self.place_in(selector, (from, 0.5))?;
        let (end, _) = self.place_in(selector, (to, 0.5))?;
        self.act(&[
            moved(&start, &y),
            json!({"type": "pointerDown", "button": 0}),
            moved(&end, &y),
            json!({"type": "pointerUp", "button": 0}),
        ])
    }

    /// Where a part of an element lies in the window, in whole pixels.
    fn place_in(&self, selector: &str, (x, y): (f64, f64)) -> Result<(Value, Value), DriveError> {
        self.wait_for(selector)?;
        let place = self.run(
            "const { left, top, width, height } = document.querySelector(arguments[0]).getBoundingClientRect();
             return [Math.round(left + arguments[1] * (width - 1)), Math.round(top + arguments[2] * (height - 1))]",
            &[json!(selector), json!(x), json!(y)],
        )?;
        Ok((place[0].clone(), place[1].clone()))
    }

    fn act(&self, actions: &[Value]) -> Result<(), DriveError> {
        let pointer =
            json!({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions});
        self.post("/actions", &json!({ "actions": [pointer] })).map(drop)
    }
}

fn moved(x: &Value, y: &Value) -> Value {
    json!({"type": "pointerMove", "duration": MOVE_MS, "x": x, "y": y})
}
