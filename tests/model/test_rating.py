"""The text encoder's own rating of the words, with which the score begins."""

import numpy as np
import pytest
import torch
from network_fixtures import random_batch, tiny_model, without

from textmsa.model.rating import Rating, begin_with
from textmsa.model.stream_encoder import Stream


def scores(model, batch):
    with torch.no_grad():
        return model(batch).score_B


def test_the_score_is_the_networks_and_the_rating_of_the_mean_state_of_the_words():
    plain, rating, batch = tiny_model(), tiny_model(rating=True), random_batch(8)
    rating.load_state_dict({**rating.state_dict(), **plain.state_dict()})
    assert batch.text is not None and rating.rating is not None
    states = rating.text_encoder(batch.text.ids_BL, attention_mask=batch.text.mask_BL).last_hidden_state
    means = [state_LF[mask_L].mean(dim=0) for state_LF, mask_L in zip(states, batch.text.mask_BL, strict=True)]
    rated_B = rating.rating.head(torch.stack(means)).squeeze(-1)
    torch.testing.assert_close(scores(rating, batch), scores(plain, batch) + rated_B, rtol=0, atol=1e-5)
    assert rated_B.std() > 0.1


def test_before_a_head_is_given_it_says_nothing():
    rating, words = Rating(3), Stream(torch.ones(2, 4, 3), torch.ones(2, 4, dtype=torch.bool))
    everywhere = torch.ones(2, dtype=torch.bool)
    assert rating(words, everywhere).tolist() == [0, 0]
    begin_with(rating.head, np.array([1, 2, -1], np.float32), 0.5)
    assert rating(words, everywhere).tolist() == [2.5, 2.5]


@pytest.mark.parametrize("rows", [[0, 2], list(range(4))])
def test_without_words_nothing_is_rated(rows):
    model, batch = tiny_model(rating=True), without(random_batch(4), "text", rows=rows)
    before = scores(model, batch)
    assert model.rating is not None
    begin_with(model.rating.head, np.full(model.config.text_size, 9, np.float32), 9.0)
    same = (scores(model, batch) == before).tolist()
    assert [row for row in range(4) if same[row]] == rows
