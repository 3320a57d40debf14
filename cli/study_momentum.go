package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"graft/training"
	"graft/training/momentum"
)

// Problems of the study that are not momentum.Planes.
const (
	problemOrder      = "order"
	problemClassifier = "classifier"
)

func momentumProblems() []string {
	var names []string
	for _, p := range momentum.Planes {
		names = append(names, p.Name)
	}
	return append(names, problemOrder, problemClassifier)
}

var studyMomentum = studyKind{
	name: "momentum", short: "what heavy-ball momentum regularises: losses of two weights, orders, and classifiers at equal effective steps",
	long: `Compares gradient descent with heavy-ball momentum at equal effective steps h/(1-beta), and writes what came out: results.csv,
results.json, report.html, report.png, and a file for each cell in cells/. A cell is never run twice.

Problems:

  2d-linear     E = (y - w1 w2 x)^2/2 in float64: where each beta ends, beside the flows of the loss and of the modified loss,
                and beside the explicit regulariser in momentum's place
  2d-sigmoid    E = (y - w1 sigmoid(w2 x))^2/2, as the first
  order         by which power of the step the distance of descent and flow falls
  classifier    a network on --data over betas and seeds: sharpness, trace, gradient, losses and accuracies; beside other methods
                with --methods

Methods of classifier: ` + strings.Join(momentum.MethodNames(), ", ") + `. All but the first run without momentum; gradient-penalty
takes the coefficients that make up for each beta, unless --penalty gives others.`,
	examples: []string{
		"graft study momentum --problem 2d-linear --out study/",
		"graft study momentum --problem order --out study/ --expect",
		"graft study momentum --problem classifier --data digits.csv --test 0.3 --std 16 --network mlp --out study/",
		"graft study momentum --problem classifier --data mnist/ --test mnist/ --network lenet --methods heavy-ball,gradient-penalty,sam,noise --out study/",
	},
	flags: slices.Concat([]cli.Flag{
		choice("problem", momentum.Planes[0].Name, "what is run", momentumProblems()...).under("Problem"),
		list("betas", "LIST", "parts of a step that are kept; 0,0.5,0.8,0.9, and 0,0.3,0.5,0.8 of classifiers, without it").under("Problem"),
		list("rates", "LIST", "effective steps h/(1-beta); 0.01, six from 0.002 down for order, and 0.1 of classifiers, without it").under("Problem"),
		integer("steps", "N", 1, 1<<40, 0, "steps; those of the publication, and 2000 of classifiers, without it").under("Problem"),
		toggle("quick", "a taste: a twentieth of the steps, one seed").under("Problem"),
		repeated("data", "PATH", "what a classifier is trained on; repeatable").under("Data"),
		text("test", "PATH|FRACTION", "what it is judged by: another set, or a part drawn from --data").under("Data"),
		integer("batch", "N", 0, 1<<31, 128, "samples of a step; 0: all of them").under("Data"),
	}, choiceFlags(), dataFlags(), []cli.Flag{
		text("network", "NAME", "a classifier of graft build --list, made to fit the data; mlp without it").under("Training"),
		repeated("set", "KEY=VALUE", "a field of the network's configuration; repeatable").under("Training"),
		integer("seeds", "N", 1, 1000, 3, "seeds, from --seed on: of weights, batches and noise").under("Training"),
		list("methods", "NAMES", "what is compared; heavy-ball without it").under("Training"),
		list("penalty", "LIST", "gradient-penalty: coefficients of |gradient|^2").under("Training"),
		list("rho", "LIST", "sam: distances; 0.05 without it").under("Training"),
		list("sigma", "LIST", "noise: standard deviations; 0.05 without it").under("Training"),
		choice("schedule", "constant", "how the learning rate goes", "constant", "linear", "cosine", "step").under("Training"),
		number("gamma", "X", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0.1, "step: what the rate is multiplied by, twice in a run").under("Training"),
		integer("curvature-samples", "N", 1, 1<<31, 512, "first training samples that the Hessian is of").under("Curvature"),
		integer("probes", "N", 2, 1<<20, 20, "random vectors for trace and Frobenius norm").under("Curvature"),
		integer("products", "N", 1, 1<<20, 60, "Hessian products at most for the sharpness").under("Curvature"),
		fraction("tolerance", "X", span{lo: 0, hi: 1, openLo: true, openHi: true}, 0.01, "of the sharpness, relative").under("Curvature"),
		toggle("expect", "exit code 1 where the losses of two weights do not do what was published").under("Results"),
	}),
	plan: planMomentum,
}

// classifierFlags have no meaning without a classifier.
var classifierFlags = []string{"data", "test", "batch", "samples", "per-class", "standardize", "label", "mean", "std", "length", "vocab", "words", "network", "set", "seeds", "methods", "penalty",
	"rho", "sigma", "schedule", "gamma", "curvature-samples", "probes", "products", "tolerance"}

func planMomentum(c *call) (experiment, error) {
	problem := c.Text("problem")
	if problem == problemClassifier {
		if c.Bool("expect") {
			return nil, misuse("--expect: nothing is expected of classifiers: what was published does not agree with itself")
		}
		return planMomentumClassifier(c)
	}
	for _, f := range classifierFlags {
		if c.IsSet(f) {
			return nil, misuse("--%s goes with --problem %s", f, problemClassifier)
		}
	}
	if problem == problemOrder {
		return planMomentumOrder(c)
	}
	return planMomentumPlane(c)
}

// betas are those of the line.
func (c *call) betas(usual ...float64) ([]float64, error) {
	return c.fractions("betas", below(0, 1), usual...)
}

// momentumSummary is the summary of results.json. What is of other problems is absent.
type momentumSummary struct {
	executed
	Problem  string           `json:"problem"`
	Criteria []studyCriterion `json:"criteria,omitempty"`
	Orders   []momentumOrder  `json:"orders,omitempty"`
	Groups   []momentumGroup  `json:"groups,omitempty"`
	Failed   []failedCell     `json:"failed,omitempty"`
	Seconds  float64          `json:"seconds"` // of all cells
}

// readMomentum reads the records, and begins the summary.
func readMomentum[T any](c *call, done *studied) (*momentumSummary, []studyRecord[T], error) {
	all, seconds, err := studyRecords[T](done)
	return &momentumSummary{executed: c.executed(), Problem: c.Text("problem"), Failed: failedCells(done), Seconds: seconds}, all, err
}

// scheduleOf is what --schedule multiplies a rate of one by.
func scheduleOf(c *call, steps int64) (func(step int64) float64, error) {
	s, err := training.FindSchedule(c.Text("schedule"))
	if err != nil {
		return nil, misuse("--schedule: %v", err)
	}
	rates, err := s.Rates(training.ScheduleConfig{Rate: 1, Steps: steps, Gamma: c.Float("gamma")})
	if err != nil {
		return nil, misuse("--schedule: %v", err)
	}
	return rates, nil
}
