// Package pipeline reads a pipeline file, plans its steps, and runs those whose result is not there yet. It knows nothing
// of what the steps do: the command line checks a step's words and runs them.
//
//	f, err := pipeline.Read("shrink.yaml")
//	plan, err := f.Plan(pipeline.Places{Work: "shrink.out"})
//	report := plan.Run(ctx, pipeline.Options{Jobs: 2, Execute: execute})
package pipeline
