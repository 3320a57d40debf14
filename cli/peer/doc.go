// Package peer runs models in runtimes other than graft's own, each in a process of its own, for graft verify. A job is a
// folder: job.json, the model and its inputs as plain numbers; the process writes result.json and the outputs beside it.
//
//	job, err := peer.NewJob(dir, model, feeds, outputs)
//	result, err := job.Result()
package peer
