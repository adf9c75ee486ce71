"""Writes an adapter of every type that PEFT registers, with its own
save_pretrained, on tiny models.  Nothing is downloaded.

SETTINGS lists (name, peft_type, base, configuration); a type may stand there
more than once.  Every trainable tensor of floats gets random numbers.

SPDX-License-Identifier: PostgreSQL
"""
import os
import warnings

import make_peft_adapters as adapters
import peft
import torch


def t5():
    from transformers import T5Config, T5ForConditionalGeneration
    return T5ForConditionalGeneration(T5Config(
        d_model=8, d_kv=4, d_ff=12, num_layers=2, num_heads=2, vocab_size=20,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=None))


def mistral():
    """All matrices are squares of one size, which some methods need."""
    from transformers import MistralConfig, MistralForCausalLM
    return MistralForCausalLM(MistralConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        vocab_size=20, max_position_embeddings=16, bos_token_id=None, eos_token_id=None))


BASES = dict(adapters.BASES, t5=t5, mistral=mistral)
CAUSAL = {"task_type": "CAUSAL_LM"}
LINEAR = dict(CAUSAL, target_modules=["q_proj", "v_proj"])
CONV = {"target_modules": ["conv", "fc_a"]}


def base(name):
    """The same base model on every call."""
    torch.manual_seed(20)
    return BASES[name]().eval()


def setting(peft_type, config, base_name="mistral", tag="", **members):
    """config is the name of PEFT's class: one that another version lacks is an error of that type alone."""
    return (peft_type + tag, peft_type, base_name, lambda: getattr(peft, config)(**members))


SETTINGS = [
    setting("PROMPT_TUNING", "PromptTuningConfig", num_virtual_tokens=3, **CAUSAL),
    setting("PROMPT_TUNING", "PromptTuningConfig", "t5", "_seq2seq", num_virtual_tokens=3, task_type="SEQ_2_SEQ_LM"),
    setting("PROMPT_TUNING", "PromptTuningConfig", "roberta", "_classifier", num_virtual_tokens=3, task_type="SEQ_CLS"),
    setting("MULTITASK_PROMPT_TUNING", "MultitaskPromptTuningConfig", "t5", num_virtual_tokens=3, num_tasks=2,
            num_ranks=2, task_type="SEQ_2_SEQ_LM"),
    setting("P_TUNING", "PromptEncoderConfig", num_virtual_tokens=3, encoder_hidden_size=8, **CAUSAL),
    setting("PREFIX_TUNING", "PrefixTuningConfig", num_virtual_tokens=3, **CAUSAL),
    setting("CPT", "CPTConfig", cpt_token_ids=[1, 2, 3], cpt_mask=[1, 1, 1], cpt_tokens_type_mask=[1, 2, 3], **CAUSAL),
    setting("CARTRIDGE", "CartridgeConfig", num_virtual_tokens=3, num_frozen_tokens=1, **CAUSAL),
    setting("ADAPTION_PROMPT", "AdaptionPromptConfig", adapter_len=3, adapter_layers=2, **CAUSAL),
    setting("LORA", "LoraConfig", r=2, **LINEAR),
    setting("IA3", "IA3Config", target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], **CAUSAL),
    setting("ADALORA", "AdaLoraConfig", init_r=4, target_r=2, total_step=10, **LINEAR),
    setting("ADAMSS", "AdamssConfig", r=4, num_subspaces=2, subspace_rank=2, **LINEAR),
    setting("BOFT", "BOFTConfig", boft_block_size=2, boft_n_butterfly_factor=1, **LINEAR),
    setting("BOFT", "BOFTConfig", "mixed", "_conv", boft_block_size=2, boft_n_butterfly_factor=1, **CONV),
    setting("BEFT", "BeftConfig", "roberta", target_modules=["value"], task_type="SEQ_CLS"),
    setting("LILY", "LilyConfig", r=2, stride_A=1, num_B=2, **LINEAR),
    setting("LOHA", "LoHaConfig", r=2, **LINEAR),
    setting("LOHA", "LoHaConfig", "mixed", "_conv", r=2, use_effective_conv2d=True, **CONV),
    setting("LOKR", "LoKrConfig", r=2, decompose_both=True, **LINEAR),
    setting("LOKR", "LoKrConfig", "mixed", "_conv", r=2, use_effective_conv2d=True, **CONV),
    setting("OFT", "OFTConfig", oft_block_size=4, **LINEAR),
    setting("OFT", "OFTConfig", "mixed", "_conv", oft_block_size=2, **CONV),
    setting("POLY", "PolyConfig", r=2, n_tasks=2, n_skills=2, n_splits=2, **LINEAR),
    setting("LN_TUNING", "LNTuningConfig", target_modules=["input_layernorm"], **CAUSAL),
    setting("VERA", "VeraConfig", r=2, **LINEAR),
    setting("VERA", "VeraConfig", tag="_unsaved_projection", r=2, save_projection=False, **LINEAR),
    setting("FROD", "FrodConfig", progressbar=False, **LINEAR),
    setting("PVERA", "PveraConfig", r=2, **LINEAR),
    setting("FOURIERFT", "FourierFTConfig", n_frequency=6, **LINEAR),
    setting("GLORA", "GloraConfig", r=2, **LINEAR),
    setting("HRA", "HRAConfig", r=2, **LINEAR),
    setting("HRA", "HRAConfig", "mixed", "_conv", r=2, **CONV),
    setting("VBLORA", "VBLoRAConfig", r=2, num_vectors=4, vector_length=4, topk=2, **LINEAR),
    setting("UNILORA", "UniLoraConfig", r=2, theta_d_length=8, **LINEAR),
    setting("MISS", "MissConfig", r=2, **LINEAR),
    setting("RANDLORA", "RandLoraConfig", r=2, **LINEAR),
    setting("ROAD", "RoadConfig", group_size=4, **LINEAR),
    setting("TRAINABLE_TOKENS", "TrainableTokensConfig", token_indices=[1, 5], target_modules=["embed_tokens"], **CAUSAL),
    setting("HIRA", "HiraConfig", r=2, **LINEAR),
    setting("HIRA", "HiraConfig", "mixed", "_conv", r=2, **CONV),
    setting("SHIRA", "ShiraConfig", r=2, random_seed=3, **LINEAR),
    setting("C3A", "C3AConfig", block_size=4, **LINEAR),
    setting("WAVEFT", "WaveFTConfig", n_frequency=6, **LINEAR),
    setting("OSF", "OSFConfig", effective_rank=2, **LINEAR),
    setting("DELORA", "DeloraConfig", r=2, **LINEAR),
    setting("GRALORA", "GraloraConfig", r=4, gralora_k=2, alpha=4, **LINEAR),
    setting("TINYLORA", "TinyLoraConfig", r=2, u=4, **LINEAR),
    setting("PSOFT", "PsoftConfig", r=4, **LINEAR),
    setting("PEANUT", "PeanutConfig", r=2, **LINEAR),
    setting("SHADOW", "ShadowConfig", r=2, **CAUSAL),
    setting("SUPERTUNING", "SupertuningConfig", r=2, sparsity=0.5, **LINEAR),
    setting("DEFT", "DeftConfig", r=2, **LINEAR),
]


def fill(model, seed):
    gen = torch.Generator().manual_seed(seed)
    for _, p in model.named_parameters():
        if p.requires_grad and p.is_floating_point():
            p.data.copy_(0.3 * torch.randn(p.shape, generator=gen))


def xlora(folder):
    """Two LoRA adapters in folders beside it, and X-LoRA's classifier over them."""
    paths = {}
    for i in "01":
        model = peft.get_peft_model(base("mistral"), peft.LoraConfig(r=2, **LINEAR))
        fill(model, int(i))
        paths[i] = folder + "_expert_" + i
        model.save_pretrained(paths[i])
    return on_base("XLORA"), peft.XLoraConfig(hidden_size=8, xlora_depth=2, xlora_size=4, adapters=paths, **CAUSAL)


SETTINGS.append(("XLORA", "XLORA", "mistral", None))


def write(folder, name, seed=1):
    """One folder by save_pretrained; the model that was saved."""
    _, _, base_name, config = next(s for s in SETTINGS if s[0] == name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, config = (base(base_name), config()) if config else xlora(folder)
        model = peft.get_peft_model(model, config)
        fill(model, seed)
        model.eval()
        model.save_pretrained(folder)
    return model


def on_base(name):
    """The setting's base model; X-LoRA takes none with a cache."""
    _, peft_type, base_name, _ = next(s for s in SETTINGS if s[0] == name)
    model = base(base_name)
    if peft_type == "XLORA":
        model.config.use_cache = False
    return model


def load(folder, name):
    """PEFT's model of a folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return peft.PeftModel.from_pretrained(on_base(name), folder).eval()


def forward(model, name):
    """What the model makes of a few tokens, with the random draws of one seed."""
    _, peft_type, base_name, _ = next(s for s in SETTINGS if s[0] == name)
    tokens = {"input_ids": torch.arange(1, 6).reshape(1, -1)}
    if base_name == "t5":
        tokens["labels"] = torch.tensor([[3, 4]])
    if isinstance(model, peft.PeftModel) and peft_type in ("MULTITASK_PROMPT_TUNING", "POLY"):
        tokens["task_ids"] = torch.tensor([1])
    torch.manual_seed(4)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model(tokens["input_ids"]) if base_name == "mixed" else model(**tokens).logits


def plain(name):
    """What the base model alone makes of them."""
    return forward(on_base(name), name)
