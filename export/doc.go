// Package export makes finished models out of trained ones: the generator's input made inside the file, channels that do
// nothing cut away, zeros stored sparsely, provenance written down, and every file run against the graph it came from
// before it is handed out.
//
//	d := export.Deployment{Z: export.ZGenerate, Key: oes.ZKey(seed), Scale: oes.ZScale, Compact: true}
//	deployed, err := d.Apply(trained)
//	if err != nil {
//		return err
//	}
//	diff, err := export.Verify(ctx, trained, deployed.Model, feeds, export.Float32, options)
//	// err says when an output differs by more than the tolerance
package export
