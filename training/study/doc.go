// Package study runs grids of experiments that take long: every cell of a grid is one file, written whole, so that a run that
// was cut off goes on where it was, and a larger grid takes up what a smaller one has done.
//
//	cells := study.Cross(study.Cross(nil, "method", "oes", "dense"), "seed", 0, 1, 2)
//	folder, err := study.Open("out", "oes", false)
//	if err != nil {
//		return err
//	}
//	defer folder.Close()
//	records, failures, err := folder.Run(ctx, study.Job{Cells: cells, Workers: 2,
//		Do: func(ctx context.Context, c study.Cell, work string) (any, error) { return measure(ctx, c) }})
package study
