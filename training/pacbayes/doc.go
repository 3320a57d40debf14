// Package pacbayes trains classifiers by a PAC-Bayes bound for losses without an upper end (arXiv 2305.19243): a normal
// distribution of weights, the posterior, and the scales of a prior are learned with them, so that rates of regularisation are not
// searched for; and it certifies the result.
//
//	problem := &pacbayes.Problem{Network: model, Data: shuffled, Ordered: ordered}
//	posterior, err := problem.Train(ctx, pacbayes.Config{Epochs1: 100, Epochs2: 30}, pacbayes.Run{})
//	if err != nil {
//		return err // of a run that diverged: stage, step and tensor
//	}
//	gibbs, err := posterior.Gibbs()
//	if err != nil {
//		return err
//	}
//	certificate, err := gibbs.Certify(ctx, pacbayes.CertifyConfig{Delta: 0.05, Data: ordered})
//
// Two numbers are kept apart. Epoch.Objective is the training bound, in nats: an estimate, since its K is estimated from the data.
// Certificate.Value bounds the 0-1 error of classifiers drawn from the posterior, with probability 1 - delta, whatever the training
// did; for it the samples and the prior's mean have to be independent, which files cannot show.
//
// Noise is a function of seed, stage and step. In every step the network runs with w + exp(p) noise, a value of the graph: w itself is
// never noisy, and nothing is taken away from it again.
//
// What the published code does, and is taken over: the bound with 3 gamma^2 K^2/2, C = 10 + 3 L, gamma in [0.5, 10], the grid of prior
// scales exp(-6) to exp(-2.5) with 10 networks each, K at exp(mean b), p and b beginning at the logarithm of mean |w|. What differs, or is
// not said there: K is the least that the moments allow and not the next power of 1.1 above it; the networks of all scales share
// their noise; tensors of zeros or of large magnitude begin with the noise of the whole network, none above the grid; K is constant
// below the grid and goes on linearly above it; stage 2 begins with fresh moments of Adam; rates, batch and lengths of the stages
// are those that digits and small pictures did well with. The variant for pretrained networks (PAC-tuning) takes Adam without weight
// decay and one rate for the noise.
package pacbayes
